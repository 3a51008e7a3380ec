"""Integr8's API: logs from exports or from report tables, and entity lists (IN1 to IN11)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

from reporting_dags.model.clock import Clock
from reporting_dags.model.report import Report
from reporting_dags.providers.api import (
    Handle,
    JobPolicy,
    Meter,
    Pace,
    Pending,
    Provider,
    Quota,
    Rate,
    Ready,
    Request,
    no_pacing,
)
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.http.limits import DEFAULT_LIMITS, Limits
from reporting_dags.providers.integr8.exports import DEFAULT_RESERVED, Exports, describe_times, split_day
from reporting_dags.providers.integr8.pages import Pages
from reporting_dags.providers.integr8.report import CountQuery, ExportQuery, ListQuery, Query, TableQuery
from reporting_dags.providers.integr8.session import NAME, Integr8Session, Paths

BASE_URL = "https://api.app.integr8.co/api/v2"
FILE_HOSTS = (".amazonaws.com", ".storage.googleapis.com")


class Integr8(Provider):
    """The API for one API key and integration. Exports are jobs; tables and lists are synchronous.

    Args:
        base_url: base URL of the API.
        api_key: API key, a secret.
        integration: id of the integration.
        clock: provides the current time and waits.
        pace: waits for the rate limit, over all processes (IN10).
        paths: the paths of the API, some of which are not documented (IN5); None for the defaults.
        file_hosts: suffixes of the host names from which export files may be downloaded over https.
        first_poll: time before the first poll of an export, and before the first retry of a call.
        timeout: maximum time that a run polls one export.
        reserved_exports: how many of the exports of a day are reserved for the latest day.
        limits: limits on the duration and size of responses.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        integration: str,
        clock: Clock,
        pace: Pace = no_pacing,
        paths: Paths | None = None,
        file_hosts: tuple[str, ...] = FILE_HOSTS,
        first_poll: timedelta = timedelta(seconds=5),
        timeout: timedelta = timedelta(hours=2),
        reserved_exports: int = DEFAULT_RESERVED,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._session = Integr8Session(
            base_url=base_url,
            api_key=api_key,
            integration=integration,
            paths=paths or Paths(),
            clock=clock,
            pace=pace,
            first_delay=first_poll,
            limits=limits,
        )
        allowed = AllowedOrigins(base_url=base_url, host_suffixes=file_hosts)
        self._downloads = Downloads(name=NAME, allowed=allowed, limits=limits)
        self._exports = Exports(self._session, self._downloads, reserved=reserved_exports)
        self._pages = Pages(self._session)
        self.account = self._session.account
        self.policy = JobPolicy(
            first_poll=first_poll,
            max_poll_interval=max(first_poll, timedelta(seconds=60)),
            timeout=timeout,
            max_open_jobs=4,
            can_find_lost_jobs=True,
        )

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """The quota of exports (IN8)."""
        return (self._exports.quota,)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The rate limit of requests (IN10)."""
        return (self._session.rate,)

    def split_request(self, report: Report, request: Request) -> tuple[Request, ...]:
        """Return requests for fewer days; a single day is split in two parts (IN7)."""
        return super().split_request(report, request) or split_day(request)

    def describe(self, request: Request) -> str:
        """Return the days, or for a part of a day its local times."""
        return describe_times(request)

    def find_lost_job(self, report: Report, request: Request) -> Handle | None:
        """Return the export whose id was lost, from the list of exports (IN5)."""
        return self._exports.find_lost_job(report, request) if isinstance(report.query, ExportQuery) else None

    def submit(self, report: Report, request: Request, meter: Meter) -> Handle:
        """Request an export; tables and lists are requested by `download`."""
        if isinstance(report.query, ExportQuery):
            return self._exports.submit(report, request, meter)
        return Handle()

    def poll(self, report: Report, request: Request, handle: Handle) -> Pending | Ready:
        """Return the state of an export; tables and lists are always ready."""
        return self._exports.poll(request, handle) if isinstance(report.query, ExportQuery) else Ready()

    def download(
        self, report: Report, request: Request, handle: Handle, meter: Meter
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open an export, or the pages of a table or list, one after another."""
        query: Query = report.query
        match query:
            case ExportQuery():
                return self._exports.download(handle)
            case CountQuery():
                return self._pages.counts(report, request, meter)
            case TableQuery():
                return self._pages.table(report, request, meter)
            case ListQuery():
                return self._pages.entities(report, meter)

    @property
    def clock_skew(self) -> timedelta:
        """How far this machine's clock is ahead of the provider's, according to its responses."""
        return self._session.clock_skew

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self._downloads.close()
