"""How a partition is pulled: planned, requested once, awaited, landed and recorded. No Dagster, no network's name.

Rooms, from top to bottom: `building` derives `network/daily` from landed partitions; `verification` compares stored
files with the ledger; `pulling` is what one run does; `ledger` is the one database; `planning` decides without input or
output; `records` are the values that all of them share.
"""
