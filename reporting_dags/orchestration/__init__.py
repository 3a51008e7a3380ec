"""The Dagster face: how one declaration becomes an asset with checks, a schedule and a sensor.

Dagster is imported here and by the resources of providers only. Nothing here decides what is due or how a network is
called: `jobs` and `providers` do.
"""
