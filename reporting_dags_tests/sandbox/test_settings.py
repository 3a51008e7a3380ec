import re
from dataclasses import fields
from typing import Any

import pytest

from reporting_dags.sandbox.digital_turbine.settings import DtSettings


def test_every_setting_says_which_rule_it_serves_or_that_it_is_assumed() -> None:
    for one in fields(DtSettings):
        assert re.match(r"((DT|OW|UL)\d+(, (DT|OW|UL)\d+)*( [AF])?|A): \S", one.metadata["description"]), one.name


@pytest.mark.parametrize(
    "changes",
    [
        {"pending": "later"},
        {"signature": ""},
        {"fill_polls": -1},
        {"fill_seconds": "2"},
        {"daily_queries": True},
        {"describe_errors": 1},
        {"out_hour": 24},
        {"empty_days": "2026-11-12"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        DtSettings(**changes)
