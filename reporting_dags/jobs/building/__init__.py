"""Datasets that are built from landed partitions, such as `network/daily`, and retries of builds that failed."""
