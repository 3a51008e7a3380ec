from typing import Any

import pytest
import requests

from reporting_dags.sandbox.server import Sandbox
from reporting_dags_tests.sandbox.client import REPORT, Client, error, query


def test_dt1_good_credentials_get_a_bearer_token_for_an_hour(sandbox: Sandbox) -> None:
    answer = Client(sandbox).ask_token()
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "tokenType", "expiresIn"}
    assert answer.json()["tokenType"] == "bearer"
    assert answer.json()["expiresIn"] == 3600


def test_dt1_a_format_parameter_on_the_token_request_is_harmless(sandbox: Sandbox) -> None:
    pair = sandbox.credentials["ordinary"]
    body = {
        "grant_type": "client_credentials",
        "client_id": pair.client_id,
        "client_secret": pair.client_secret,
    }
    assert requests.post(f"{sandbox.url}/auth/v1/token?format=csv", json=body, timeout=10).status_code == 200


@pytest.mark.parametrize("grant", ["password", "Client_Credentials", "", None, ...])
def test_dt2_any_other_grant_is_refused(sandbox: Sandbox, grant: object) -> None:
    assert error(Client(sandbox).ask_token(grant_type=grant)) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
@pytest.mark.parametrize("value", ["", None, ...])
def test_dt2_missing_credentials_are_an_invalid_request(sandbox: Sandbox, missing: str, value: Any) -> None:
    assert error(Client(sandbox).ask_token(**{missing: value})) == (400, "invalid_request")


def test_dt2_form_encoded_credentials_are_an_invalid_request(sandbox: Sandbox) -> None:
    answer = requests.post(
        f"{sandbox.url}/auth/v1/token", data={"grant_type": "client_credentials", "client_id": "a"}, timeout=10
    )
    assert error(answer) == (400, "invalid_request")


def test_dt2_wrong_unknown_revoked_and_disabled_credentials_are_an_invalid_client(sandbox: Sandbox) -> None:
    client = Client(sandbox)
    assert error(client.ask_token(client_secret="wrong")) == (400, "invalid_client")
    assert error(client.ask_token(client_id="unknown")) == (400, "invalid_client")
    assert error(client.ask_token("revoked")) == (400, "invalid_client")
    sandbox.settings.change("dt", disabled_client_ids=(sandbox.credentials["ordinary"].client_id,))
    assert error(client.ask_token()) == (400, "invalid_client")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer unknown", "Basic abc"])
def test_dt3_a_report_without_a_known_bearer_token_is_refused(client: Client, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert error(client.ask(query(), headers=headers)) == (401, "invalid_token")


def test_dt3_the_bare_token_without_its_scheme_is_refused(client: Client) -> None:
    assert error(client.ask(query(), headers={"Authorization": client.token})) == (401, "invalid_token")


def test_dt3_a_token_expires_after_an_hour_of_sandbox_time(client: Client) -> None:
    client.sandbox.clock.advance(3599)
    assert client.ask(query()).status_code == 200
    client.sandbox.clock.advance(1)
    assert error(client.ask(query())) == (401, "invalid_token")
    assert client.log_in().ask(query()).status_code == 200


def test_dt3_a_disabled_account_s_token_is_refused(client: Client) -> None:
    client.sandbox.settings.change("dt", disabled_client_ids=(client.sandbox.credentials["ordinary"].client_id,))
    assert error(client.ask(query())) == (401, "invalid_token")


def test_dt3_the_token_is_looked_at_before_the_query(client: Client) -> None:
    assert error(client.ask({}, path="/api/v1/report/offerwall", headers={})) == (401, "invalid_token")


def test_a_path_that_no_provider_has_is_404_and_a_wrong_method_405(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/api/v9/other", timeout=10).status_code == 404
    assert requests.get(sandbox.url + REPORT, timeout=10).status_code == 405
    assert [entry.point for entry in sandbox.log.entries()] == ["none", "dt.report"]
