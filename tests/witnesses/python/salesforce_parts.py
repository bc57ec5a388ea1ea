"""What the suites of simple-salesforce share: the client in two organisations, and shapes of answers."""

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from hand import ADDRESS, Hand
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from urllib3.util import Retry

VERSION = "61.0"
CLIENT = {"consumer_key": "sandbox-default", "consumer_secret": "sandbox-secret-default"}
SCRATCH = {"consumer_key": "sandbox-scratch", "consumer_secret": "sandbox-secret-scratch"}


class ToSandbox(HTTPAdapter):
    """Leads the https addresses that the client makes up to the local server, which has no TLS."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The request, at the sandbox."""
        assert request.url is not None
        there, here = urlsplit(request.url), urlsplit(ADDRESS)
        request.url = urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))
        return super().send(request, *args, **kwargs)


def to_sandbox(retry: Retry | None = None) -> requests.Session:
    """A session for the client."""
    session = requests.Session()
    session.mount("https://", ToSandbox(max_retries=retry or 0))
    return session


def signed_in(retry: Retry | None = None, **credentials: str) -> Any:
    """A client that has signed in."""
    asked = {"domain": "witness.my", "version": VERSION, **credentials}
    return Salesforce(session=to_sandbox(retry), **asked)


@pytest.fixture(scope="session")
def sf() -> Any:
    """In the organisation that the suite only reads."""
    return signed_in(**CLIENT)


@pytest.fixture(scope="session")
def crm() -> Hand:
    """The hand in that organisation."""
    return Hand("orgs/default")


@pytest.fixture
def scratch() -> Iterator[Hand]:
    """The hand in the organisation to change; faults and time are put right afterwards."""
    hand = Hand("orgs/scratch")
    yield hand
    hand.command("faults/clear")
    hand.command("clock", run=True, covered_lag_seconds=0)
    hand.undo("limits")


@pytest.fixture
def writer(scratch: Hand) -> Any:
    """A client in the organisation to change."""
    return signed_in(**SCRATCH)


@pytest.fixture
def account(writer: Any) -> str:
    """A new account's id."""
    made: str = writer.Account.create({"Name": "Witness", "NumberOfEmployees": 12})["id"]
    return made


def bare(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its attributes."""
    return {name: value for name, value in record.items() if name != "attributes"}


def rows(text: str, **dialect: str) -> list[dict[str, str]]:
    """The rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text, newline=""), **dialect))


def ids(records: list[dict[str, Any]]) -> list[str]:
    """Their ids, sorted."""
    return sorted(each["Id"] for each in records)
