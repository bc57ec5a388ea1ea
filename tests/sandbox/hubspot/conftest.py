"""Portals of a real server in a process of its own, and clients of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.sandbox.conftest import Server, Start
from tests.unencrypted import UNENCRYPTED


@dataclass
class Portal:
    """Calls a portal as its connector would, and steers it as a test does."""

    base: str
    name: str
    facts: dict[str, Any] = field(init=False)
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.facts = httpx.get(f"{self.base}/_sandbox/portals/{self.name}", verify=UNENCRYPTED).json()
        self.http = httpx.Client(base_url=f"{self.base}/portals/{self.name}", timeout=20, verify=UNENCRYPTED)
        self.sign_in(self.facts["token"])

    def sign_in(self, token: str) -> None:
        """Call with that token from now on."""
        self.http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: object) -> httpx.Response:
        """GET below the portal's address."""
        return self.http.get(path, params={name: str(value) for name, value in params.items()})

    def post(self, path: str, body: object = None) -> httpx.Response:
        """POST JSON."""
        return self.http.post(path, content=msgspec.json.encode(body or {}))

    def objects(self, kind: str = "deals", **params: object) -> list[dict[str, Any]]:
        """The first page of a listing."""
        answer = self.get(f"/crm/v3/objects/{kind}", **params)
        answer.raise_for_status()
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def everything(self, kind: str, **params: object) -> list[dict[str, Any]]:
        """All pages of a listing."""
        found: list[dict[str, Any]] = []
        after = "0"
        while after:
            page = self.get(f"/crm/v3/objects/{kind}", limit=100, after=after, **params).json()
            found += page["results"]
            after = page.get("paging", {}).get("next", {}).get("after", "")
        return found

    def one(self, object_id: str, kind: str = "deals", **params: object) -> dict[str, Any]:
        """A record."""
        answer = self.get(f"/crm/v3/objects/{kind}/{object_id}", **params)
        answer.raise_for_status()
        record: dict[str, Any] = answer.json()
        return record

    def make(self, kind: str = "deals", **properties: object) -> str:
        """Create a record by the API, and give its id."""
        answer = self.post(f"/crm/v3/objects/{kind}", {"properties": properties})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def search(self, *filters: tuple[object, ...], kind: str = "deals", **more: object) -> httpx.Response:
        """A search whose filters are (property, operator, value or values)."""
        body = {
            "filterGroups": [{"filters": [_filter(*each) for each in filters]}] if filters else [],
            **more,
        }
        return self.post(f"/crm/v3/objects/{kind}/search", body)

    def found(self, *filters: tuple[object, ...], **more: object) -> list[str]:
        """The ids of the first page of a search."""
        answer = self.search(*filters, **more)
        assert answer.status_code == 200, answer.text
        return [record["id"] for record in answer.json()["results"]]

    def control(self, command: str, **body: object) -> Any:
        """A command for tests; fails the test if it is refused."""
        answer = self.try_control(command, **body)
        answer.raise_for_status()
        return answer.json()

    def try_control(self, command: str, **body: object) -> httpx.Response:
        """A command for tests."""
        return self.http.post(
            f"{self.base}/_sandbox/portals/{self.name}/{command}", content=msgspec.json.encode(body)
        )

    def look(self, command: str) -> Any:
        """What a command for tests shows."""
        return self.http.get(f"{self.base}/_sandbox/portals/{self.name}/{command}").json()

    def snapshot(self, kind: str, *, archived: bool = False, history: str = "") -> list[dict[str, Any]]:
        """All records of a kind."""
        address = f"{self.base}/_sandbox/portals/{self.name}/snapshot"
        text = self.http.get(
            address, params={"object": kind, "archived": int(archived), "history": history}
        ).content
        return [msgspec.json.decode(line) for line in text.splitlines()]

    def forget_traffic(self) -> None:
        """Count calls from nothing again."""
        self.http.delete(f"{self.base}/_sandbox/portals/{self.name}/stats")

    def token(self, **form: str) -> httpx.Response:
        """A token request with this portal's client id."""
        client = {"client_id": self.facts["client_id"], "client_secret": self.facts["client_secret"]}
        return self.http.post("/oauth/v1/token", data=client | form)

    def let_in(self, scope: str = "oauth crm.objects.deals.read") -> dict[str, Any]:
        """Go through OAuth as a person who agrees, and give the answer with the tokens."""
        redirect = "http://127.0.0.1/back"
        asked = {"client_id": self.facts["client_id"], "redirect_uri": redirect, "scope": scope}
        decided = self.http.post("/oauth/authorize", params=asked, data={"decision": "allow"})
        code = httpx.URL(decided.headers["location"]).params["code"]
        answer: dict[str, Any] = self.token(
            grant_type="authorization_code", code=code, redirect_uri=redirect
        ).json()
        return answer


def _filter(name: object, operator: object, value: object = None, high: object = None) -> dict[str, object]:
    several = {"values": value} if isinstance(value, list) else {"value": value}
    return {
        "propertyName": name,
        "operator": operator,
        **several,
        **({} if high is None else {"highValue": high}),
    }


LIMITS = {"calls_per_ten_seconds": 100_000, "searches_per_second": 100_000, "calls_per_day": 650_000, "with_retry_after": False,
          "search_lag_seconds": 0, "search_lag_seed": None, "unstable_sorts": False, "number_ids": False, "search_reach": 10_000,
          "access_token_seconds": 1800, "webhook_retry_seconds": 0.02}  # fmt: skip
"""No limits that quick tests would run into, and no odd habits."""


@pytest.fixture(scope="session")
def portals(start: Start, people_file: Path) -> Server:
    """The server that these tests share: ``demo`` to read, ``scratch`` to change, both with the four people or made-up ones."""
    return start(
        "--scale",
        5,
        "--portal",
        f"demo=400:3:{people_file}",
        "--portal",
        "scratch=60:9",
        "--portal",
        "other=5:1",
    )


@pytest.fixture
def demo(portals: Server) -> Portal:
    """The portal that tests only read."""
    portal = Portal(portals.url, "demo")
    portal.control("switches", **LIMITS)
    return portal


@pytest.fixture
def scratch(portals: Server) -> Iterator[Portal]:
    """A portal to change; its time, faults and habits are put right afterwards."""
    portal = Portal(portals.url, "scratch")
    portal.control("switches", **LIMITS)
    yield portal
    portal.sign_in(portal.facts["token"])
    portal.control("faults/clear")
    portal.control("clock", run=True)
    portal.control("switches", **LIMITS)
    portal.control("webhooks")
