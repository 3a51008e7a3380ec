"""Settings: read late, blanks count as unset, and what is malformed names its variable."""

import pytest

from reporting_dags.model.errors import SettingError
from reporting_dags.providers.settings import read_base_url, read_seconds, read_setting


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_an_unset_or_blank_variable_takes_the_default_or_is_named(
    monkeypatch: pytest.MonkeyPatch, blank: str | None
) -> None:
    monkeypatch.delenv("SOME_VARIABLE", raising=False)
    if blank is not None:
        monkeypatch.setenv("SOME_VARIABLE", blank)
    assert read_setting(None, "SOME_VARIABLE", default="d") == "d"
    with pytest.raises(SettingError, match="SOME_VARIABLE is not set"):
        read_setting(None, "SOME_VARIABLE")


def test_a_resources_own_field_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "7")
    assert read_setting("mine", "SOME_VARIABLE") == "mine"
    assert read_seconds(None, "SOME_VARIABLE", default=5) == 7
    assert read_seconds(2, "SOME_VARIABLE", default=5) == 2


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan", "1e30"])
def test_a_number_of_seconds_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOME_VARIABLE", text)
    with pytest.raises(SettingError, match="SOME_VARIABLE is "):
        read_seconds(None, "SOME_VARIABLE", default=5)


@pytest.mark.parametrize("text", ["reporting.fyber.com", "ftp://x", "http://", "http://x:port", "http://u:hush@x"])
def test_a_base_url_that_is_none_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOME_VARIABLE", text)
    with pytest.raises(SettingError, match="SOME_VARIABLE is not an http") as caught:
        read_base_url(None, "SOME_VARIABLE", default="https://usual.example")
    assert "hush" not in caught.value.line


def test_a_mask_that_the_launchpad_filled_in_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "real")
    assert read_setting("********", "SOME_VARIABLE") == "real"
    assert read_setting(" *** ", "SOME_VARIABLE") == "real"
    assert read_setting("**", "SOME_VARIABLE") == "**"


def test_a_variable_that_holds_a_mask_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "********")
    with pytest.raises(SettingError, match=r"SOME_VARIABLE is set to \*{8}, which is a mask"):
        read_setting(None, "SOME_VARIABLE", default="d")
