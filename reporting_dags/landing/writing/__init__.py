"""Typed Arrow becomes one verified Parquet file for each partition, published atomically or not at all."""
