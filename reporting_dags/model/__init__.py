"""The values that every other package uses: reports, columns, days, errors, outcomes.

No input or output, no Dagster, and no name of a provider belongs here.
"""
