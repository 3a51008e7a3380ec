"""Reports of ad networks as Dagster assets.

`definitions.py` is what Dagster loads. Imports run one way, downwards: cli, definitions, orchestration, reports, jobs,
providers and landing, model. `pyproject.toml` holds the contracts that check it.
"""
