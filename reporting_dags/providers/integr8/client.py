"""Integr8's API: logs from exports or from report tables, and entity lists (IN1 to IN11)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from reporting_dags.model.report import Report
from reporting_dags.providers.api import Handle, Meter, Pending, Quota, Ready, Request
from reporting_dags.providers.base import ClientSettings, HttpProvider
from reporting_dags.providers.http.download import AllowedOrigins, Downloads
from reporting_dags.providers.integr8.exports import DEFAULT_RESERVED, Exports, describe_times, split_day
from reporting_dags.providers.integr8.pages import Pages
from reporting_dags.providers.integr8.report import CountQuery, ExportQuery, ListQuery, Query, TableQuery
from reporting_dags.providers.integr8.session import NAME, REQUESTS_PER_MINUTE, Integr8Session, Paths

BASE_URL = "https://api.app.integr8.co/api/v2"
FILE_HOSTS = (".amazonaws.com", ".storage.googleapis.com")


class Integr8(HttpProvider):
    """The API for one API key and integration. Exports are jobs; tables and lists are synchronous.

    Args:
        settings: the settings of the client. The limit of 60 requests a minute holds over all processes (IN10).
        api_key: API key, a secret.
        integration: id of the integration.
        paths: the paths of the API, some of which are not documented (IN5); None for the defaults.
        file_hosts: suffixes of the host names from which export files may be downloaded over https.
        reserved_exports: how many of the exports of a day are reserved for the latest day.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        api_key: str,
        integration: str,
        paths: Paths | None = None,
        file_hosts: tuple[str, ...] = FILE_HOSTS,
        reserved_exports: int = DEFAULT_RESERVED,
    ) -> None:
        super().__init__(
            settings,
            name=NAME,
            account=("integr8", integration, api_key),
            secrets=(api_key,),
            policy=settings.job_policy(max_open_jobs=4, can_find_lost_jobs=True),
            requests_per_minute=REQUESTS_PER_MINUTE,
            retry_unspecified_429=True,
        )
        session = Integr8Session(self.http, api_key=api_key, integration=integration, paths=paths or Paths())
        allowed = AllowedOrigins(base_url=settings.base_url, host_suffixes=file_hosts)
        self._downloads = Downloads(name=NAME, allowed=allowed, limits=settings.limits)
        self._exports = Exports(session, self._downloads, reserved=reserved_exports)
        self._pages = Pages(session)

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """The quota of exports (IN8)."""
        return (self._exports.quota,)

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

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._downloads.close()
