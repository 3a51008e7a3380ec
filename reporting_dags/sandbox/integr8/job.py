"""An export: what became of an order, and the object that tells of it (IN5 to IN7)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reporting_dags.sandbox.endpoint import Subject
from reporting_dags.sandbox.integr8.accounts import Account
from reporting_dags.sandbox.integr8.answer import Shown
from reporting_dags.sandbox.integr8.order import Order
from reporting_dags.sandbox.integr8.settings import Integr8Settings
from reporting_dags.sandbox.integr8.values import iso, printed
from reporting_dags.sandbox.table import Table

BUCKET = "/_s3/integr8-exports"
TIMES = frozenset({"begin_install_time", "click_time", "conversion_time", "finish_install_time", "request_time"})
PENDING, IN_PROGRESS = "PENDING", "IN_PROGRESS"


@dataclass
class Job:
    """An export that was ordered; its file is fixed at that moment, shown or not."""

    id: str
    order: Order
    account: Account
    ordered: datetime
    body: bytes
    total: int
    truncated: bool
    never: bool = False
    polls: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.order.log.name}-{self.id}.csv"

    @property
    def path(self) -> str:
        """Where the file is on the sandbox's origin."""
        return f"{BUCKET}/{self.account.organization_id}/{self.name}"

    @property
    def subject(self) -> Subject:
        """What faults can aim at."""
        return Subject(self.order.log.name, *self.order.span.days)

    def is_seen_by(self, account: Account) -> bool:
        """Whether an account's organization has it: to others it does not exist."""
        return self.account.organization_id == account.organization_id

    def status(self, now: datetime, settings: Integr8Settings) -> str:
        """How far it is; the file is there when it says `completed_status`."""
        due = self.ordered + timedelta(seconds=settings.fill_seconds)
        if not self.never and now >= due and self.polls >= settings.fill_polls:
            return settings.completed_status
        return IN_PROGRESS if self.polls else PENDING

    def has_file(self, now: datetime, settings: Integr8Settings) -> bool:
        """Whether its file can be had (IN8)."""
        kept = now < self.ordered + timedelta(days=settings.keep_days)
        return kept and self.status(now, settings) == settings.completed_status

    def told(self, status: str, *, origin: str, settings: Integr8Settings, error: str = "") -> dict[str, Any]:
        """The export object, with every key that the document has; what is not used is null or empty."""
        done = status == settings.completed_status
        return {
            "artifact": self._artifact(origin) if done else None,
            "created_at": iso(self.ordered),
            "email_config": None,
            "error": error,
            "export_list_options": None,
            "format": {"delimiter": self.order.delimiter},
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
            "type": self.order.log.export_type,
            "updated_at": iso(self.ordered),
        }

    def _artifact(self, origin: str) -> dict[str, Any]:
        meta = {"id": self.id, "organization": self.account.organization_id, "type": self.order.log.export_type}
        # Without a signature it opens to nobody.
        return {"download_link": origin + self.path, "meta": meta, "name": self.name, "size": len(self.body)}

    def _options(self) -> dict[str, Any]:
        no_values = dict.fromkeys(("greater_than_values", "less_than_values", "like_values", "not_equal_values"))
        return {
            "end_date": self.order.span.end_text,
            "extra_parameters_as_new_fields": list(self.order.extra_parameters),
            "filters": {"integration_id": {"equal_values": [self.account.integration_id], **no_values}},
            "include_fields": list(self.order.fields),
            "relative_date": "",
            "sort_by": None,
            "start_date": self.order.span.start_text,
        }

    def _results(self, settings: Integr8Settings) -> dict[str, Any]:
        seconds = max(1, round(settings.fill_seconds))
        return {"duration_seconds": seconds, "range_truncated": self.truncated, "total": self.total}


def table(
    order: Order, found: list[Shown], entity: str, *, left_out: Collection[str] = (), local: bool = False
) -> Table:
    """The file that an order becomes: the fields as asked for, then a column for each further parameter.

    Args:
        order: what was asked for.
        found: the rows.
        entity: the column that faults take apps from.
        left_out: fields that the provider does not know.
        local: times are local to the order's time zone, without an offset.
    """
    names = [name for name in order.fields if name not in left_out]
    header, lines = [*names, *order.extra_parameters], list[list[str]]()
    for _, values in found:
        further = _further(values) if order.extra_parameters else {}
        fields = [printed(values[name]) for name in names]
        if local:
            pairs = zip(names, fields, strict=True)
            fields = [_local(text, order) if text and name in TIMES else text for name, text in pairs]
        lines.append([*fields, *(further.get(name, "") for name in order.extra_parameters)])
    return Table(header, lines, delimiter=order.delimiter, day=order.log.time, entity=entity)


def _local(text: str, order: Order) -> str:
    moment = datetime.fromisoformat(text).astimezone(order.span.zone).replace(tzinfo=None)
    return moment.isoformat(sep=" ")


def _further(values: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(values["extra_params.keys"], values["extra_params.values"], strict=True))
