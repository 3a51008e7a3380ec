"""The checks of one partition, before it is published and again when it is stored.

Checks of a whole report, such as missing days, are in `jobs.planning.report_health`.
"""
