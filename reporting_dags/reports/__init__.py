"""The declarations of all reports, one file for each provider. Users edit only this package.

How a provider is called belongs in `providers`; how a table is written belongs in `landing`.
"""
