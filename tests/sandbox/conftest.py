"""The real server in a process of its own, and clients of it."""

import csv
import io
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.cli import main
from tests.unencrypted import UNENCRYPTED

API = "/services/data/v61.0"
PEOPLE = """\
Email,FirstName,LastName,ManagerEmail
head@acme.example,Hedda,Stone,
manager@acme.example,Mona,Reyes,head@acme.example
rep.one@acme.example,Rina,Okafor,manager@acme.example
rep.two@acme.example,Rolf,Berg,manager@acme.example
"""


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    url: str

    def client(self, org: str = "default") -> "Client":
        """A client signed in to an organisation."""
        client = Client(self.url, org)
        client.sign_in()
        return client

    def stop(self) -> int:
        """End it as a supervisor would, and give its exit code."""
        self.process.terminate()
        return self.process.wait(10)


@dataclass
class Client:
    """Calls an organisation as its connector would, and steers it as a test does."""

    base: str
    org: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=f"{self.base}/orgs/{self.org}", timeout=20, verify=UNENCRYPTED)

    def token_request(self, **form: str) -> httpx.Response:
        """A token request with this organisation's client id."""
        secret = {"client_secret": f"sandbox-secret-{self.org}"}
        return self.http.post(
            "/services/oauth2/token", data={"client_id": f"sandbox-{self.org}", **secret, **form}
        )

    def sign_in(self) -> None:
        """Take a token by client credentials."""
        token = self.token_request(grant_type="client_credentials").json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: str | int) -> httpx.Response:
        """GET below the API version."""
        return self.http.get(f"{API}{path}", params=params)

    def query(self, soql: str, endpoint: str = "query") -> httpx.Response:
        """The first page of a query."""
        return self.get(f"/{endpoint}", q=soql)

    def records(self, soql: str, endpoint: str = "query") -> list[dict[str, Any]]:
        """The records of a query's first page, without their attributes."""
        found = self.query(soql, endpoint).json()["records"]
        return [{key: value for key, value in record.items() if key != "attributes"} for record in found]

    def values(self, soql: str) -> list[Any]:
        """The first field of each record."""
        return [next(iter(record.values())) for record in self.records(soql)]

    def count(self, condition: str) -> int:
        """``totalSize`` of a COUNT() query."""
        return int(self.query(f"SELECT COUNT() FROM {condition}").json()["totalSize"])

    def start_job(self, soql: str, **more: str) -> httpx.Response:
        """POST a Bulk query job."""
        return self.http.post(f"{API}/jobs/query", json={"operation": "query", "query": soql, **more})

    def finished_job(self, soql: str, **more: str) -> dict[str, Any]:
        """A Bulk query job, waited for."""
        address = f"{API}/jobs/query/{self.start_job(soql, **more).json()['id']}"
        until = time.monotonic() + 15
        while time.monotonic() < until:
            job: dict[str, Any] = self.http.get(address).json()
            if job["state"] in {"JobComplete", "Failed", "Aborted"}:
                return job
            time.sleep(0.02)
        raise TimeoutError(soql)

    def results(self, job: dict[str, Any], **params: str | int) -> httpx.Response:
        """A page of a job's results."""
        return self.get(f"/jobs/query/{job['id']}/results", **params)

    def control(self, command: str, **body: object) -> Any:
        """A command for tests; fails the test if it is refused."""
        answer = self.try_control(command, **body)
        answer.raise_for_status()
        return answer.json()

    def try_control(self, command: str, **body: object) -> httpx.Response:
        """A command for tests."""
        return self.http.post(f"{self.base}/_sandbox/orgs/{self.org}/{command}", json=body)

    def snapshot(self, sobject: str, **params: str | int) -> list[dict[str, str]]:
        """All rows of an object."""
        address = f"{self.base}/_sandbox/orgs/{self.org}/snapshot"
        text = self.http.get(address, params={"object": sobject, **params}).text
        return list(csv.DictReader(io.StringIO(text, newline="")))


Start = Callable[..., Server]
Refusal = Callable[..., str]


def run_sandbox(*arguments: object) -> subprocess.Popen[str]:
    """The command, its words for people on a pipe."""
    command = [sys.executable, "-m", "sandbox", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def start_server(*arguments: object) -> Server:
    """A server on a free port, once it answers."""
    process = run_sandbox("--port", 0, *arguments)
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if found := re.search(r"ready at (http://\S+)/ ", line):
            _wait_for(found[1])
            return Server(process, found[1])
    raise AssertionError(f"the sandbox did not start: {said}")


def _wait_for(url: str) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/_sandbox/health", verify=UNENCRYPTED).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nothing answers at {url}")


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Starts further servers, and ends them after the tests."""
    servers: list[Server] = []

    def starting(*arguments: object) -> Server:
        servers.append(start_server(*arguments))
        return servers[-1]

    yield starting
    for server in servers:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """What the command says when it refuses to start; in this process, for it ends before it serves."""

    def refusing(*arguments: object) -> str:
        assert main(["--port", "0", *map(str, arguments)]) == 2
        *progress, reason = capsys.readouterr().err.splitlines()
        assert all(line.endswith(".sqlite") for line in progress)
        return reason

    return refusing


@pytest.fixture(scope="session")
def people_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people: a head of sales, a manager, two reps."""
    path = tmp_path_factory.mktemp("people") / "people.csv"
    path.write_text(PEOPLE)
    return path


@pytest.fixture(scope="session")
def server(start: Start, people_file: Path) -> Server:
    """The server that most tests share: ``default`` with 2,500 deals to read, ``acme`` with the four people."""
    return start("--scale", 2500, "--seed", 3, "--org", f"acme=400:5:{people_file}", "--org", "scratch=60:9")


@pytest.fixture
def drifting(start: Start) -> Client:
    """An organisation of its own, for what cannot be taken back."""
    return start("--scale", 250, "--seed", 9).client()


@pytest.fixture
def crm(server: Server) -> Client:
    """The organisation that tests only read."""
    return server.client()


@pytest.fixture
def acme(server: Server) -> Client:
    """The organisation with the given people."""
    return server.client("acme")


@pytest.fixture
def scratch(server: Server) -> Iterator[Client]:
    """An organisation to change; its time and the faults are put right afterwards."""
    client = server.client("scratch")
    yield client
    client.control("faults/clear")
    client.control("bulk_page_delay", seconds=0)
    client.control("clock", run=True, covered_lag_seconds=0)
    for rules in ("oauth", "limits", "behaviour"):
        client.http.delete(f"{client.base}/_sandbox/orgs/{client.org}/{rules}").raise_for_status()
