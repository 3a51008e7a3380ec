"""Exact sums and hashes over Arrow columns. No files, no formats of providers."""
