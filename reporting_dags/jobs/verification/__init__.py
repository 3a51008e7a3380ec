"""Stored partitions compared with the ledger, and the cheapest repair of each that is damaged."""
