"""The Dagster instance that `dagster.yaml` names: it stores runs on PostgreSQL if there is one, else in its folder."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import dagster as dg
import yaml

# Documented under this name only: what an instance stores, and where, if its file does not say so.
from dagster._core.instance import InstanceRef

VARIABLE = "DAGSTER_POSTGRES_URL"
_TEMPORARY = ".tmp_dagster_home_"
"""How Dagster's commands begin the name of the folder that they use in place of a DAGSTER_HOME that is not set."""


class ReportingInstance(dg.DagsterInstance):
    """A Dagster instance that stores its runs on PostgreSQL (DAGSTER_POSTGRES_URL), or else in files of its folder.

    `dagster.yaml` alone cannot say that: an environment variable that it names must be set. Dagster asks this class for
    the storage once for each command, and passes the result to every process that the command starts.
    """

    @classmethod
    def config_schema(cls) -> Mapping[str, Any]:
        """Return the settings that `dagster.yaml` may have besides Dagster's own: none."""
        return {}

    @staticmethod
    def config_defaults(base_dir: str) -> Mapping[str, Any]:
        """Return what Dagster uses where `dagster.yaml` says nothing.

        Args:
            base_dir: the folder of the instance.

        Raises:
            click.ClickException: DAGSTER_POSTGRES_URL is malformed; Dagster's commands print one line of it.
        """
        if Path(base_dir).name.startswith(_TEMPORARY):
            logging.getLogger("dagster").warning(
                "DAGSTER_HOME is not set: runs, and what was requested of the providers, are recorded in a temporary "
                "folder that is deleted when this command ends. Fix: export DAGSTER_HOME=<the folder of your instance>"
            )
        defaults = InstanceRef.config_defaults(base_dir)
        address = os.environ.get(VARIABLE, "")
        storage = defaults["storage"]
        if not address.strip() or storage is None:
            return defaults
        _check(address)
        # By name: what is handed on to other processes stands in their command lines.
        config = yaml.safe_dump({"postgres_url": {"env": VARIABLE}})
        postgres = storage._replace(
            module_name="dagster_postgres", class_name="DagsterPostgresStorage", config_yaml=config
        )
        return {**defaults, "storage": postgres}


def _check(address: str) -> None:
    # Not needed, and slow to import, where storage is embedded.
    from reporting_dags.jobs.ledger.postgres import postgres_address  # noqa: PLC0415
    from reporting_dags.model.errors import ReportingError  # noqa: PLC0415

    try:
        url = postgres_address(address, VARIABLE)
    except ReportingError as error:
        raise click.ClickException(error.line) from None
    if address != address.strip():
        raise click.ClickException(f"{VARIABLE} begins or ends with a blank or line break. Fix: remove it")
    if url.drivername not in {"postgresql", "postgresql+psycopg2"}:
        raise click.ClickException(f"{VARIABLE} begins with {url.drivername}://. Fix: write postgresql://")
