"""Decisions without input or output: windows, due partitions, who requests them, what an open job is worth, health.

What is decided here is carried out by `ledger` and `pulling`. A function here takes the present moment as an argument.
"""
