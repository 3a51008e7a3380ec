"""An export job, its file, and the object that describes it (IN5 to IN7)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reporting_dags.sandbox.endpoint import Subject
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.export_request import ExportRequest
from reporting_dags.sandbox.integr8.logs import LogRow
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.values import cell_text, iso
from reporting_dags.sandbox.table import Table

BUCKET = "/_s3/integr8-exports"
TIMES = frozenset({"begin_install_time", "click_time", "conversion_time", "finish_install_time", "request_time"})
PENDING, IN_PROGRESS = "PENDING", "IN_PROGRESS"


@dataclass
class ExportJob:
    """A requested export. Its file is made at the request, and available after completion."""

    id: str
    request: ExportRequest
    account: Account
    requested_at: datetime
    body: bytes
    total: int
    truncated: bool
    never: bool = False
    polls: int = 0

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"{self.request.log.name}-{self.id}.csv"

    @property
    def path(self) -> str:
        """The path of the file in its URL."""
        return f"{BUCKET}/{self.account.organization_id}/{self.name}"

    @property
    def subject(self) -> Subject:
        """The log and the days, by which faults are selected."""
        return Subject(self.request.log.name, *self.request.span.days)

    def is_visible_to(self, account: Account) -> bool:
        """Return whether the export belongs to the organization of `account`. For others it does not exist."""
        return self.account.organization_id == account.organization_id

    def status(self, now: datetime, settings: Integr8Settings) -> str:
        """Return the status; the file exists when it is `completed_status`."""
        due = self.requested_at + timedelta(seconds=settings.fill_seconds)
        if not self.never and now >= due and self.polls >= settings.fill_polls:
            return settings.completed_status
        return IN_PROGRESS if self.polls else PENDING

    def has_file(self, now: datetime, settings: Integr8Settings) -> bool:
        """Return whether the file can be downloaded (IN8)."""
        is_kept = now < self.requested_at + timedelta(days=settings.keep_days)
        return is_kept and self.status(now, settings) == settings.completed_status

    def as_json(self, status: str, *, origin: str, settings: Integr8Settings, error: str = "") -> dict[str, Any]:
        """Return the export object with all documented keys; unused ones are null or empty."""
        done = status == settings.completed_status
        return {
            "artifact": self._artifact(origin) if done else None,
            "created_at": iso(self.requested_at),
            "email_config": None,
            "error": error,
            "export_list_options": None,
            "format": {"delimiter": self.request.delimiter},
            "guest_token": "",
            "id": self.id,
            "integration": self.account.integration_id,
            "last_updated_by": self.account.name,
            "notify_by_email": False,
            "organization": self.account.organization_id,
            "platform": "",
            "reports_query_option": self._options(),
            "requested_by": self.account.name,
            "results_meta": self._results(settings) if done else None,
            "status": status,
            "type": self.request.log.export_type,
            "updated_at": iso(self.requested_at),
        }

    def _artifact(self, origin: str) -> dict[str, Any]:
        meta = {"id": self.id, "organization": self.account.organization_id, "type": self.request.log.export_type}
        # Without a signature, the link does not work.
        return {"download_link": origin + self.path, "meta": meta, "name": self.name, "size": len(self.body)}

    def _options(self) -> dict[str, Any]:
        no_values = dict.fromkeys(("greater_than_values", "less_than_values", "like_values", "not_equal_values"))
        return {
            "end_date": self.request.span.end_text,
            "extra_parameters_as_new_fields": list(self.request.extra_parameters),
            "filters": {"integration_id": {"equal_values": [self.account.integration_id], **no_values}},
            "include_fields": list(self.request.fields),
            "relative_date": "",
            "sort_by": None,
            "start_date": self.request.span.start_text,
        }

    def _results(self, settings: Integr8Settings) -> dict[str, Any]:
        seconds = max(1, round(settings.fill_seconds))
        return {"duration_seconds": seconds, "range_truncated": self.truncated, "total": self.total}


def table(
    request: ExportRequest, rows: list[LogRow], entity: str, *, left_out: Collection[str] = (), local: bool = False
) -> Table:
    """Return the table of an export: the requested fields, then a column for each extra parameter.

    Args:
        request: the export request.
        rows: the rows.
        entity: the column with the entity of a row, for faults.
        left_out: requested fields that the table must not have.
        local: whether times are local times in the requested time zone, without an offset.
    """
    names = [name for name in request.fields if name not in left_out]
    header, lines = [*names, *request.extra_parameters], list[list[str]]()
    for _, values in rows:
        further = _further(values) if request.extra_parameters else {}
        fields = [cell_text(values[name]) for name in names]
        if local:
            pairs = zip(names, fields, strict=True)
            fields = [_local(text, request) if text and name in TIMES else text for name, text in pairs]
        lines.append([*fields, *(further.get(name, "") for name in request.extra_parameters)])
    return Table(header, lines, delimiter=request.delimiter, day=request.log.time, entity=entity)


def _local(text: str, request: ExportRequest) -> str:
    moment = datetime.fromisoformat(text).astimezone(request.span.zone).replace(tzinfo=None)
    return moment.isoformat(sep=" ")


def _further(values: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(values["extra_params.keys"], values["extra_params.values"], strict=True))
