"""What Dagster's catalog shows of a dataset: description, owners, tags, kinds, columns, address and declaration."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

import reporting_dags.reports
from reporting_dags.model.errors import SettingError
from reporting_dags.model.report import Report
from reporting_dags.orchestration.event_log import column_schema
from reporting_dags.orchestration.keys import key_of
from reporting_dags.orchestration.storage import StorageResource
from reporting_dags.providers.settings import read_optional_setting

OWNERS = "REPORTING_OWNERS"
_OWNER = re.compile(r"team:[A-Za-z0-9_-]+|[^@\s:]+@[^@\s:]+\.[^@\s:]+")
_KINDS = {"s3": "s3", "gs": "googlecloud", "gcs": "googlecloud"}
"""Kinds of Dagster, by the scheme of the data root."""


@dataclass(frozen=True, slots=True)
class CatalogSettings:
    """Settings that all assets share.

    Attributes:
        owners: e-mail addresses, and teams as `team:name`.
        data_root: path or address of the data root, without credentials and parameters; empty if it is not set.
    """

    owners: tuple[str, ...] = ()
    data_root: str = ""


def read_catalog_settings(home: StorageResource) -> CatalogSettings:
    """Read the settings of the catalog from the environment.

    Raises:
        SettingError: an owner is neither an e-mail address nor a team.
    """
    owners = tuple(owner.strip() for owner in (read_optional_setting(None, OWNERS) or "").split(",") if owner.strip())
    for owner in owners:
        if not _OWNER.fullmatch(owner):
            raise SettingError(
                f"{OWNERS} contains {owner!r}, which is neither an e-mail address nor team:name",
                advice="Fix: separate owners by commas, as in team:finance,anna@example.com.",
            )
    try:
        # The setting may hold a key and a secret; the address of the store does not.
        data_root = home.open_data(Path()).url
    except SettingError:
        # Definitions load without any setting; a run says what is missing.
        data_root = ""
    return CatalogSettings(owners, data_root)


def dataset_spec(
    report: Report,
    catalog: CatalogSettings,
    partitions: dg.PartitionsDefinition[str] | None,
    *,
    deps: Sequence[dg.AssetDep] = (),
    metadata: Mapping[str, Any] | None = None,
) -> dg.AssetSpec:
    """Return the spec of a report's asset.

    Args:
        report: the declaration.
        catalog: the settings that all assets share.
        partitions: the days; None for a snapshot.
        deps: the assets that it is built from.
        metadata: metadata besides that of every dataset.
    """
    scheme, separator, _ = catalog.data_root.partition("://")
    shown: dict[str, Any] = {
        "dagster/column_schema": column_schema(report),
        "dagster/table_name": report.key.replace("/", "."),
        "dagster/io_manager_key": "reports",
        "grain": ", ".join((*(("date",) if report.partitioned else ()), *report.grain_names)),
        **(metadata or {}),
    }
    if catalog.data_root:
        shown["dagster/uri"] = f"{catalog.data_root.rstrip('/')}/{report.key}"
    if (reference := _declaration(report)) is not None:
        shown["dagster/code_references"] = dg.CodeReferencesMetadataValue(code_references=[reference])
    return dg.AssetSpec(
        key_of(report),
        description=report.description,
        group_name=report.provider,
        owners=catalog.owners,
        tags={"provider": report.provider},
        kinds={"parquet", *([_KINDS[scheme]] if separator and scheme in _KINDS else [])},
        code_version=report.version,
        partitions_def=partitions,
        deps=deps,
        skippable=True,
        metadata=shown,
    )


def _declaration(report: Report) -> dg.LocalFileCodeReference | None:
    """Return where the report is declared; None for a report of another package."""
    file = Path(reporting_dags.reports.__path__[0]) / f"{report.provider}.py"
    if not file.is_file():
        return None
    lines = file.read_text(encoding="utf-8").splitlines()
    names = (number for number, line in enumerate(lines, start=1) if f'name="{report.name}"' in line)
    return dg.LocalFileCodeReference(file_path=str(file), line_number=next(names, 1), label=f"reports/{file.name}")
