"""Events that a portal sends."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from .conftest import Portal

SECRET = "hush"


class Receiver:
    """An address that keeps what it is sent, and answers with the statuses it is told to, then with 200."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks?a=1"

    def events(self) -> list[dict[str, Any]]:
        """All events of answered and refused deliveries."""
        return [event for body in self.bodies for event in json.loads(body)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs."""
    made = Receiver()
    thread = Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def hooked(scratch: Portal, receiver: Receiver) -> Portal:
    """A portal whose events go to the receiver."""
    scratch.control("webhooks", subscription={"url": receiver.url, "client_secret": SECRET})
    return scratch


def settled(portal: Portal) -> list[dict[str, int]]:
    """The deliveries, once nothing waits."""
    shown = portal.control("webhooks/settle", seconds=10)
    assert shown["settled"]
    deliveries: list[dict[str, int]] = shown["deliveries"]
    return deliveries


class TestEvents:
    def test_a_change_is_told_with_its_value(self, hooked: Portal, receiver: Receiver) -> None:
        deal = hooked.make(dealname="Told", amount="5")
        settled(hooked)
        by_type = {
            (event["subscriptionType"], event.get("propertyName")): event for event in receiver.events()
        }
        assert by_type["deal.creation", None]["objectId"] == int(deal)
        change = by_type["deal.propertyChange", "amount"]
        assert (change["propertyValue"], change["changeSource"], change["attemptNumber"]) == (
            "5",
            "INTEGRATION",
            0,
        )
        assert change["portalId"] == hooked.facts["portal_id"]
        assert {"eventId", "subscriptionId", "appId", "occurredAt"} <= change.keys()

    def test_every_kind_of_happening_is_told(self, hooked: Portal, receiver: Receiver) -> None:
        deal, other, contact = (
            hooked.make(dealname="A"),
            hooked.make(dealname="B"),
            hooked.make("contacts", firstname="C"),
        )
        hooked.control("associate", object="deals", id=deal, other="contacts", other_id=contact)
        hooked.control("archive", object="deals", id=deal)
        hooked.control("restore", object="deals", id=deal)
        hooked.control("merge", object="deals", primary=deal, loser=other)
        hooked.control("forget", object="contacts", id=contact)
        settled(hooked)
        told = {event["subscriptionType"]: event for event in receiver.events()}
        assert {"deal.creation", "deal.propertyChange", "deal.associationChange", "contact.associationChange", "deal.deletion",
                "deal.restore", "deal.merge", "contact.privacyDeletion"} <= told.keys()  # fmt: skip
        assert (
            told["deal.associationChange"]["fromObjectId"],
            told["deal.associationChange"]["toObjectId"],
        ) == (int(deal), int(contact))
        assert told["deal.associationChange"]["associationType"] == "DEAL_TO_CONTACT"
        assert (told["deal.merge"]["primaryObjectId"], told["deal.merge"]["mergedObjectIds"]) == (
            int(deal),
            [int(other)],
        )

    def test_types_and_properties_narrow_them(self, scratch: Portal, receiver: Receiver) -> None:
        subscription = {
            "url": receiver.url,
            "client_secret": SECRET,
            "types": ["deal.propertyChange"],
            "properties": ["amount"],
        }
        scratch.control("webhooks", subscription=subscription)
        scratch.make(dealname="N", amount="6")
        settled(scratch)
        assert [event["propertyName"] for event in receiver.events()] == ["amount"]

    def test_the_newer_names_come_on_request(self, scratch: Portal, receiver: Receiver) -> None:
        scratch.control(
            "webhooks", subscription={"url": receiver.url, "client_secret": SECRET, "style": "object"}
        )
        scratch.make(dealname="N")
        settled(scratch)
        assert {(event["subscriptionType"], event["objectTypeId"]) for event in receiver.events()} == {
            ("object.creation", "0-3"), ("object.propertyChange", "0-3")}  # fmt: skip


class TestDeliveries:
    def test_are_signed_in_all_versions(self, hooked: Portal, receiver: Receiver) -> None:
        hooked.make(dealname="Signed – ü")
        settled(hooked)
        body, headers = receiver.bodies[0], receiver.headers[0]
        signed = b"POST" + receiver.url.encode() + body + headers["x-hubspot-request-timestamp"].encode()
        assert (
            headers["x-hubspot-signature-v3"]
            == base64.b64encode(hmac.digest(SECRET.encode(), signed, "sha256")).decode()
        )
        assert headers["x-hubspot-signature"] == hashlib.sha256(SECRET.encode() + body).hexdigest()
        assert headers["x-hubspot-signature-version"] == "v1"

    def test_hold_a_hundred_events_at_most(self, hooked: Portal, receiver: Receiver) -> None:
        inputs = [{"properties": {"hs_note_body": str(number)}} for number in range(100)]
        hooked.post("/crm/v3/objects/notes/batch/create", {"inputs": inputs})
        settled(hooked)
        sizes = [len(json.loads(body)) for body in receiver.bodies]
        assert (max(sizes), sum(sizes)) == (100, 200)

    def test_are_tried_again_until_they_are_taken(self, hooked: Portal, receiver: Receiver) -> None:
        receiver.statuses = [500, 404, 302]
        hooked.make(dealname="Again")
        deliveries = settled(hooked)
        assert [(each["attempt"], each["status"]) for each in deliveries] == [
            (0, 500),
            (1, 404),
            (2, 302),
            (3, 200),
        ]
        assert {event["attemptNumber"] for event in json.loads(receiver.bodies[-1])} == {3}

    def test_nothing_goes_out_without_a_subscription(self, hooked: Portal, receiver: Receiver) -> None:
        hooked.control("webhooks")
        hooked.make(dealname="Quiet")
        assert settled(hooked) == []
        assert receiver.bodies == []
