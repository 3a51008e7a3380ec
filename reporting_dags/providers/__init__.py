"""How each network's API is called: one folder for each network, with its client, its resource and its report fields.

A provider submits, polls and downloads; it does not plan, remember or store, which `jobs` and `landing` do.
"""
