"""What one run does to pull a report: take leases, submit, poll, download, land, record.

Which days it should request is decided in `planning`; what other runs must see is kept in `ledger`.
"""
