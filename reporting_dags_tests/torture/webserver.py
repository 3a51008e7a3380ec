"""What Dagster's own webserver answers, requested all that it knows of runs, assets, resources and the instance."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from typing import Any

import requests

from reporting_dags_tests.processes import Process, start
from reporting_dags_tests.torture.place import Place, kill

_PATIENCE_SECONDS = 60
_ENTRIES = """metadataEntries { __typename label description
  ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } ... on UrlMetadataEntry { url }
  ... on MarkdownMetadataEntry { mdStr } ... on PathMetadataEntry { path } ... on IntMetadataEntry { intRepr }
  ... on FloatMetadataEntry { floatValue } }"""
_ERROR = "message className stack cause { message stack } errorChain { error { message stack } }"
_WHERE = '{repositoryName: "__repository__", repositoryLocationName: "reporting_dags.definitions"}'
_SENSORS = (
    "dt_offer_wall_late", "dt_user_level_late", "mintegral_late", "orangeclick_late", "integr8_late",
    "alerts",
)  # fmt: skip


def _tick(sensor: str) -> str:
    selector = f'{_WHERE[:-1]}, sensorName: "{sensor}"}}'
    return f"""{sensor}: sensorDryRun(cursor: "", selectorData: {selector}) {{
        __typename ... on DryRunInstigationTick {{
        evaluationResult {{ skipReason cursor error {{ {_ERROR} }}
          runRequests {{ runKey runConfigYaml tags {{ key value }} }} }} }} }}"""


QUERIES: Mapping[str, str] = {
    "runs and their configuration": """{ runsOrError { ... on Runs { results { id status runConfigYaml
        tags { key value } assetSelection { path } stepKeysToExecute
        executionPlan { steps { key metadata { key value } } } } } } }""",
    "logs of runs": f"""{{ runsOrError {{ ... on Runs {{ results {{ id eventConnection(limit: 5000) {{ events {{
        __typename ... on MessageEvent {{ message level stepKey }}
        ... on ErrorEvent {{ error {{ {_ERROR} }} }}
        ... on ExecutionStepFailureEvent {{ failureMetadata {{ description {_ENTRIES} }} }}
        ... on DisplayableEvent {{ label description {_ENTRIES} }}
        ... on AssetCheckEvaluationEvent {{ evaluation {{ checkName description {_ENTRIES} }} }} }} }} }} }} }} }}""",
    "asset nodes and metadata": f"""{{ assetNodes {{ assetKey {{ path }} description computeKind opNames jobNames
        configField {{ name description defaultValueAsJson }} requiredResources {{ resourceKey }} {_ENTRIES}
        assetMaterializations(limit: 100) {{ runId partition description {_ENTRIES} }} }} }}""",
    "asset checks": f"""{{ assetNodes {{ assetKey {{ path }} assetChecksOrError {{ ... on AssetChecks {{ checks {{ name
        description executionForLatestMaterialization {{ status evaluation {{ description {_ENTRIES} }} }} }} }} }} }}
        }}""",
    "resources and their values": f"""{{ allTopLevelResourceDetailsOrError(repositorySelector: {_WHERE}) {{ __typename
        ... on ResourceDetailsList {{ results {{ name description resourceType
          configFields {{ name description defaultValueAsJson }} configuredValues {{ key value type }}
          nestedResources {{ name resource {{ name configuredValues {{ key value type }} }} }} }} }} }} }}""",
    "variables that are used": f"""{{ utilizedEnvVarsOrError(repositorySelector: {_WHERE}) {{ __typename
        ... on EnvVarWithConsumersList {{ results {{ envVarName envVarConsumers {{ type name }} }} }} }} }}""",
    "schedules and sensors": f"""{{ schedulesOrError(repositorySelector: {_WHERE}) {{ ... on Schedules {{ results {{
          name description cronSchedule scheduleState {{ ticks {{ status error {{ {_ERROR} }} }} }} }} }} }}
        sensorsOrError(repositorySelector: {_WHERE}) {{ ... on Sensors {{ results {{
          name description sensorState {{ ticks {{ status cursor error {{ {_ERROR} }} }} }} }} }} }} }}""",
    "ticks of sensors": f"mutation {{ {' '.join(map(_tick, _SENSORS))} }}",
    "instance and daemons": """{ instance { id info runQueuingSupported hasInfo
        daemonHealth { id allDaemonStatuses { daemonType healthy lastHeartbeatErrors { message stack } } }
        concurrencyLimits { concurrencyKey slotCount claimedSlots { runId } } } version }""",
    "code locations": f"""{{ workspaceOrError {{ ... on Workspace {{ locationEntries {{ name loadStatus
        displayMetadata {{ key value }}
        locationOrLoadError {{ __typename ... on PythonError {{ {_ERROR} }}
          ... on RepositoryLocation {{ name dagsterLibraryVersions {{ name version }} }} }} }} }} }} }}""",
}
_LOGS = """query Logs($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"""
_KEYS = """{ runsOrError { ... on Runs { results { id eventConnection(limit: 5000) { events { __typename
    ... on LogsCapturedEvent { fileKey } } } } } } }"""


@contextlib.contextmanager
def webserver(place: Place, **variables: str) -> Generator[str]:
    """The address of a webserver on the place's instance, on loopback, as long as the context lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    output = place.folder / "webserver.log"
    command = ["-m", "dagster_webserver", "-m", "reporting_dags.definitions", "-h", "127.0.0.1", "-p", str(port)]
    with output.open("wb") as sink:
        environment = {**place.environment(), **variables}
        process = start(command, cwd=place.home, env=environment, stdout=sink, stderr=subprocess.STDOUT, forks=True)
        try:
            yield _ready(f"http://127.0.0.1:{port}", process)
        finally:
            kill(process)


def _ready(url: str, process: Process) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{url}/server_info", timeout=5).status_code == 200:
                return url
        time.sleep(0.2)
    raise AssertionError("the webserver does not answer")


def answers(url: str) -> dict[str, bytes]:
    """Return the complete response to each query; a response with errors raises AssertionError."""
    found = {name: _asked(url, query) for name, query in QUERIES.items()}
    keys = requests.post(f"{url}/graphql", json={"query": _KEYS}, timeout=60).json()
    for run in keys["data"]["runsOrError"]["results"]:
        for event in run["eventConnection"]["events"]:
            if event.get("fileKey"):
                key = [run["id"], "compute_logs", event["fileKey"]]
                found[f"captured log of {run['id']}"] = _asked(url, _LOGS, {"key": key})
    return found


def _asked(url: str, query: str, variables: Mapping[str, Any] | None = None) -> bytes:
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables or {}}, timeout=60)
    told = answer.json()
    assert "errors" not in told, told["errors"]
    assert b'"PythonError"' not in answer.content, answer.text[:2000]
    return answer.content
