"""A run of Dagster that kills its own process group at a chosen step.

`python -m reporting_dags_tests.torture.victim ARGUMENTS OF DAGSTER`, with TORTURE_KILL=step:moment:n, such as
`ledger.submitted:after:1`. It says so on the error stream right before, so that no other death is taken for this one.
"""

import inspect
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

import reporting_dags.definitions as definitions
import reporting_dags.landing.parsing.decode as decode
import reporting_dags.landing.writing.land as land
import reporting_dags.orchestration.materialize as materialize
from reporting_dags.jobs.ledger.jobs import Jobs
from reporting_dags.jobs.ledger.leases import Leases
from reporting_dags.jobs.ledger.liveness import FileLiveness
from reporting_dags.jobs.ledger.materializations import Materializations
from reporting_dags.landing.storage.local_store import LocalStore
from reporting_dags.landing.storage.spool import Spool
from reporting_dags.landing.writing.day_files import DayFile
from reporting_dags.providers.api import Provider

VARIABLE = "TORTURE_KILL"
KILLED = "killed at"

Spot = tuple[object, str]
"""Whose attribute is called at a step, and its name."""


def _providers(kind: type[Provider] = Provider) -> Iterator[type[Provider]]:
    for heir in kind.__subclasses__():
        yield heir
        yield from _providers(heir)


def _of_providers(name: str) -> list[Spot]:
    return [(kind, name) for kind in _providers() if name in vars(kind)]


def spots() -> dict[str, list[Spot]]:
    """Every step at which a run can be killed. A provider's own session, or a bucket, would be others of the same."""
    assert definitions.__file__, "loads every provider"
    return {
        "owners.enter": [(FileLiveness, "acquire")],
        "ledger.claim": [(Leases, "acquire")],
        "provider.submit": _of_providers("submit"),
        "ledger.submitted": [(Jobs, "record_submitted")],
        "provider.poll": _of_providers("poll"),
        "provider.download": _of_providers("download"),
        "spool.write": [(Spool, "write")],
        "spool.finish": [(Spool, "finish")],
        "raw.put": [(LocalStore, "put")],
        "ledger.downloaded": [(Jobs, "record_downloaded")],
        "decode": [(land, "open_raw_file")],
        "decode.batch": [(decode, "row_hashes")],
        "dayfile.flush": [(DayFile, "flush")],
        "dayfile.finish": [(DayFile, "finish")],
        "ledger.landed": [(Materializations, "record_landed")],
        "data.put": [(LocalStore, "put")],
        "record_day": [(materialize, "record_partition")],
        "log_event": [(dg.AssetExecutionContext, "log_event")],
        "ledger.finish": [(Jobs, "close_days")],
        "owners.leave": [(FileLiveness, "release")],
        "run.success": [(dg.DagsterEvent, "job_success")],
    }


def _is_of_step(step: str, arguments: tuple[Any, ...]) -> bool:
    """Whether a call is one of the step: the two stores are of one class, and told apart by what they are given."""
    if not step.endswith(".put"):
        return True
    _store, _source, key, *_last = arguments
    return str(key).endswith(".parquet") is step.startswith("data")


def dying(step: str, moment: str, nth: int, work: Callable[..., Any], die: Callable[[], None]) -> Callable[..., Any]:
    """`work`, but that its `nth` call at the step dies before it or after."""
    lock = threading.Lock()
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        struck = False
        if _is_of_step(step, arguments):
            with lock:
                calls += 1
                struck = calls == nth
        if struck and moment == "before":
            die()
        result = work(*arguments, **named)
        if struck:
            die()
        return result

    return call


def arm(told: str) -> None:
    """Let the step that `told` names be this process's last."""
    step, moment, nth = told.split(":")
    if os.getpgrp() != os.getpid():
        raise SystemExit("a victim must lead a process group of its own: others would die with it")
    if moment not in {"before", "after"}:
        raise SystemExit(f"{moment!r} is neither before nor after")
    # Dagster puts a file of its own in the place of the error stream while a step runs.
    voice = os.dup(sys.stderr.fileno())

    def die() -> None:
        os.write(voice, f"\n{KILLED} {told}\n".encode())
        os.killpg(os.getpgrp(), signal.SIGKILL)

    for owner, name in spots()[step]:
        work = getattr(owner, name)
        call = dying(step, moment, int(nth), work, die)
        setattr(owner, name, staticmethod(call) if _is_static(owner, name) else call)


def _is_static(owner: object, name: str) -> bool:
    return isinstance(inspect.getattr_static(owner, name), staticmethod)


if __name__ == "__main__":
    arm(os.environ[VARIABLE])
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)
