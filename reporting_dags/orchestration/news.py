"""What has ended and failed since an alert was last told: read from Dagster's own records, in their order."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import dagster as dg

_MOST_TOLD = 500
_PAGE = 50
_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)


REPEATED = "failed_as_before"
"""Metadata of a step's failure: whether it says nothing that an earlier run has not said."""


class Told(NamedTuple):
    """What was told of a failure: its text, and how many days it named, where the check counts them."""

    text: str
    days: int

    @classmethod
    def of(cls, result: dg.AssetCheckEvaluation) -> Self:
        """What is told of a result."""
        count = result.metadata.get("count")
        return cls(result.description or "", int(str(count.value)) if count is not None else 0)


@dataclass(kw_only=True)
class AlertCursor:
    """What one tick leaves to the next.

    Attributes:
        after: storage id of the end of the last run that was told of, or had nothing to tell.
        told: failures that nobody has mended since, and what was told of them.
    """

    after: int
    told: dict[str, Told] = field(default_factory=dict[str, Told])

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """From the text that Dagster keeps; None for anything else."""
        try:
            said = json.loads(text or "")
            told = {str(name): Told(str(text), int(days)) for name, (text, days) in said["told"].items()}
            return cls(after=int(said["after"]), told=told)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None

    @property
    def text(self) -> str:
        """As Dagster keeps it: of failures that nobody mends, the last alone."""
        return json.dumps({"after": self.after, "told": dict(list(self.told.items())[-_MOST_TOLD:])})


def newest_id(instance: dg.DagsterInstance) -> int:
    """Storage id of the last end of a run; 0 if none has ended."""
    found = [instance.fetch_run_status_changes(kind, limit=1).records for kind in _ENDS]
    return max((record.storage_id for records in found for record in records), default=0)


def ended_runs(
    instance: dg.DagsterInstance, kinds: Sequence[dg.DagsterEventType], after: int
) -> Iterator[dg.EventLogRecord]:
    """The next ends of runs of `kinds` after a storage id, in their order, whichever run began first."""
    pages = [
        instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after),  # pyright: ignore[reportArgumentType]
            limit=_PAGE,
            ascending=True,
        ).records
        for kind in kinds
    ]
    # What follows a page that is full is not known yet, and comes before what follows the others.
    known = min((page[-1].storage_id for page in pages if len(page) == _PAGE), default=None)
    found = sorted((record for page in pages for record in page), key=lambda record: record.storage_id)
    yield from (record for record in found if known is None or record.storage_id <= known)


def keys_of(instance: dg.DagsterInstance, run_id: str) -> set[dg.AssetKey]:
    """The assets that a run was to materialize."""
    planned = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED).records
    return {record.asset_key for record in planned if record.asset_key is not None}


def is_repeated(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether every step of a run that failed did so as one of an earlier run did."""
    failures = _failures(instance, run_id)
    return bool(failures) and all(_says_repeated(event) for event in failures)


def _says_repeated(event: Any) -> bool:
    data = event.step_failure_data.user_failure_data
    value = data.metadata.get(REPEATED) if data else None
    return value is not None and value.value is True


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[Any]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    return [event for event in events if event is not None]


def cause(instance: dg.DagsterInstance, failed: dg.EventLogRecord) -> list[str]:
    """The one line with which each step of a run failed; what Dagster says of the run where there is none."""
    told = [_line(event) for event in _failures(instance, failed.run_id)]
    event = failed.event_log_entry.dagster_event
    return [line for line in told if line] or [(event.message if event is not None else "") or "the run failed"]


def _line(event: Any) -> str:
    data = event.step_failure_data
    return str(data.user_failure_data.description or "") if data.user_failure_data else ""


def evaluations(instance: dg.DagsterInstance, run_id: str) -> dict[dg.AssetCheckKey, list[dg.AssetCheckEvaluation]]:
    """What the checks of a run came to, in order: of a check of days each day's result, and not their summary."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    found: dict[dg.AssetCheckKey, list[dg.AssetCheckEvaluation]] = {}
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is not None:
            result = event.asset_check_evaluation_data
            found.setdefault(result.asset_check_key, []).append(result)
    return {key: [one for one in all_ if one.partition] or all_ for key, all_ in found.items()}


def latest(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]
) -> Mapping[dg.AssetCheckKey, dg.AssetCheckEvaluation]:
    """The newest result of each check."""
    found: dict[dg.AssetCheckKey, dg.AssetCheckEvaluation] = {}
    for key, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
        event = record.event.dagster_event if record.event is not None else None
        if event is not None and event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found[key] = event.asset_check_evaluation_data
    return found


def failing(
    name: str, results: Collection[dg.AssetCheckEvaluation], cursor: AlertCursor
) -> dict[str, dg.AssetCheckEvaluation]:
    """Of each day the newest result, if it fails and the same was not told before; what has passed is forgotten.

    That fewer days fail than were told of, as while a backfill mends them, is no news.
    """
    news: dict[str, dg.AssetCheckEvaluation] = {}
    for result in {one.partition: one for one in results}.values():
        of = f"{name} {result.partition or ''}".strip()
        if result.passed:
            cursor.told.pop(of, None)
            continue
        before, now = cursor.told.get(of), Told.of(result)
        if before is not None and now.days < before.days:
            cursor.told[of] = now
        elif before != now:
            news[of] = result
    return news
