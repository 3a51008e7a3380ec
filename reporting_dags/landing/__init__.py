"""A provider's response becomes one verified Parquet file for each partition.

Rooms, from top to bottom: `writing` turns a response into files; `checks` decides whether a partition may be published;
`parsing` reads bytes into typed Arrow; `reading` reads published files back; `storage` holds files, locally or in a
bucket; `compute` has exact sums and hashes over Arrow. No ledger, no provider and no Dagster belong here.
"""
