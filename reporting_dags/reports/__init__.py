"""What is pulled: one declaration for each report, one file for each provider. The only place that a user edits.

How a provider is called belongs in `providers`; how a table is written belongs in `landing`.
"""
