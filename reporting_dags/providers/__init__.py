"""How each network's API is called: one folder for each network, with its client, its resource and its report fields.

A provider submits, polls and downloads. It does not plan, record or store: `jobs` and `landing` do.
"""
