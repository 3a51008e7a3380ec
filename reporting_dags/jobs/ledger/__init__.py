"""The one database: jobs, leases, materializations, quotas and rates, on SQLite or PostgreSQL.

Everything that two processes or machines must agree on is here, each change in one transaction. Calls of providers and
files of partitions are not.
"""
