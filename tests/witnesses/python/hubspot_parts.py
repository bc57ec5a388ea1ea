"""What the suites of HubSpot's client share: the client in two portals, and shapes of calls."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hand import ADDRESS, Hand
from hubspot import HubSpot
from hubspot.crm import deals
from urllib3.util import Retry

NO_LIMITS = {"calls_per_ten_seconds": 100_000, "searches_per_second": 10_000}


def client(token: str | None = None, retry: Retry | None = None) -> Any:
    """The client, at the sandbox."""
    return HubSpot(access_token=token, host=ADDRESS, base_url=ADDRESS, retry=retry or Retry(0))


@pytest.fixture(scope="session")
def portal() -> Hand:
    """The hand in the portal that the suite only reads."""
    hand = Hand("portals/main")
    hand.command("switches", **NO_LIMITS)
    return hand


@pytest.fixture(scope="session")
def hs(portal: Hand) -> Any:
    """A client there, by the portal's private app."""
    return client(portal.facts()["token"])


@pytest.fixture
def scratch() -> Iterator[Hand]:
    """The hand in the portal to change; faults, time and switches are put right afterwards."""
    hand = Hand("portals/scratch")
    hand.command("switches", **NO_LIMITS)
    yield hand
    hand.command("faults/clear")
    hand.command("clock", run=True)
    hand.command("switches", with_retry_after=False, search_lag_seconds=0)
    hand.command("webhooks")


@pytest.fixture
def writer(scratch: Hand) -> Any:
    """A client in the portal to change."""
    return client(scratch.facts()["token"])


@pytest.fixture
def deal(writer: Any) -> str:
    """A new deal's id."""
    made: str = writer.crm.deals.basic_api.create(
        deals.SimplePublicObjectInputForCreate(properties={"dealname": "Witness", "amount": "1200.5"})
    ).id
    return made


def ids(records: list[Any]) -> list[str]:
    """Their ids, sorted, whether the client's objects or the snapshot's."""
    return sorted(each["id"] if isinstance(each, dict) else each.id for each in records)


def told(error: Any) -> dict[str, Any]:
    """What an error of the client carries of the answer."""
    body: dict[str, Any] = json.loads(error.body)
    return body


def search_for(**more: Any) -> deals.PublicObjectSearchRequest:
    """A search of deals."""
    return deals.PublicObjectSearchRequest(**{"limit": 100, "properties": ["amount"], **more})


def where(name: str, operator: str, **more: Any) -> list[deals.FilterGroup]:
    """One condition."""
    return [deals.FilterGroup(filters=[deals.Filter(property_name=name, operator=operator, **more)])]


def people(hand: Hand) -> list[Any]:
    """The active owners of a portal, past the protocol."""
    people = requests.get(f"{hand.address}/people", timeout=20).json()
    return [each for each in people if each["is_active"]]


def batch_of(wanted: list[str]) -> deals.BatchReadInputSimplePublicObjectId:
    """A batch read of deals."""
    inputs = [deals.SimplePublicObjectId(id=each) for each in wanted]
    return deals.BatchReadInputSimplePublicObjectId(
        inputs=inputs, properties=["dealname"], properties_with_history=[]
    )
