"""Deliveries to the address that a portal's app subscribed with: signed, at most a hundred events at once, tried again on refusal."""

import base64
import hashlib
import hmac
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import httpx
import msgspec

from sandbox.hubspot.switches import Switches

Event = dict[str, object]
_MOST_EVENTS = 100
_MOST_ATTEMPTS = 10
_GATHERING_SECONDS = 0.05
_DELIVERY_SECONDS = 5.0


class Subscription(msgspec.Struct, forbid_unknown_fields=True):
    """Where events go, and which: ``types`` as ``deal.propertyChange``, all where it is empty; ``properties`` narrows changes.

    ``style`` ``object``: the newer names, ``object.propertyChange`` with an ``objectTypeId``.
    """

    url: str
    client_secret: str
    types: list[str] = []
    properties: list[str] = []
    style: Literal["named", "object"] = "named"
    app_id: int = 1160452


class Delivery(msgspec.Struct):
    """One attempt to deliver: how many events, which attempt, and the status that came back, 0 if none did."""

    events: int
    attempt: int
    status: int
    first_event_id: int


class Webhooks:
    """The events of one portal on their way out. A thread of its own sends them, so that changes do not wait for it."""

    def __init__(self, portal_id: int, switches: Callable[[], Switches]) -> None:
        self._portal_id = portal_id
        self._switches = switches
        self.subscription: Subscription | None = None
        self.deliveries: list[Delivery] = []
        self._waiting: deque[Event] = deque()
        self._numbers = itertools.count(int(time.time()) % 1_000_000_000)
        self._wake = threading.Condition()
        self._busy = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def subscribe(self, subscription: Subscription | None) -> None:
        """Send events there from now on; None for nowhere. What waits is dropped."""
        with self._wake:
            self.subscription = subscription
            self._waiting.clear()
            self.deliveries.clear()
            if subscription is not None and self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="webhooks")
                self._thread.start()
            self._wake.notify_all()

    def send(self, events: Sequence[Event]) -> None:
        """Queue what the subscription wants of some events."""
        with self._wake:
            if self.subscription is None:
                return
            self._waiting.extend(self._dressed(event) for event in events if self._wants(event))
            self._wake.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait until everything is delivered or given up; False, if it took longer."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting and not self._busy, seconds)

    def close(self) -> None:
        """End the thread; what waits stays undelivered."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()

    def _wants(self, event: Event) -> bool:
        subscription = self.subscription
        if subscription is None or (
            subscription.types and event["subscriptionType"] not in subscription.types
        ):
            return False
        return (
            "propertyName" not in event
            or not subscription.properties
            or event["propertyName"] in subscription.properties
        )

    def _dressed(self, event: Event) -> Event:
        assert self.subscription is not None
        name, type_id = str(event["subscriptionType"]), event["objectTypeId"]
        body = {key: value for key, value in event.items() if key != "objectTypeId"}
        if self.subscription.style == "object":
            body |= {"subscriptionType": f"object.{name.partition('.')[2]}", "objectTypeId": type_id}
        subscription_id = 100_000 + sum(name.encode())
        return {"eventId": next(self._numbers), "subscriptionId": subscription_id, "portalId": self._portal_id,
                "appId": self.subscription.app_id, "attemptNumber": 0, **body}  # fmt: skip

    def _run(self) -> None:
        with httpx.Client(timeout=_DELIVERY_SECONDS) as client:
            while batch := self._next_batch():
                self._deliver(client, batch)
                with self._wake:
                    self._busy = False
                    self._wake.notify_all()

    def _next_batch(self) -> list[Event]:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return []
            self._busy = True
        time.sleep(_GATHERING_SECONDS)
        with self._wake:
            return [self._waiting.popleft() for _ in range(min(_MOST_EVENTS, len(self._waiting)))] or [{}]

    def _deliver(self, client: httpx.Client, batch: list[Event]) -> None:
        pause, subscription = self._switches().webhook_retry_seconds, self.subscription
        for attempt in range(_MOST_ATTEMPTS):
            is_current = subscription is not None and subscription is self.subscription
            if not is_current or self._closed or batch == [{}]:
                return
            assert subscription is not None
            for event in batch:
                event["attemptNumber"] = attempt
            status = self._post(client, subscription, msgspec.json.encode(batch))
            first = batch[0]["eventId"]
            assert isinstance(first, int)
            self.deliveries.append(Delivery(len(batch), attempt, status, first))
            if 200 <= status < 300:
                return
            self._pause(pause * 2**attempt)

    def _pause(self, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._closed, seconds)

    def _post(self, client: httpx.Client, subscription: Subscription, body: bytes) -> int:
        headers = {
            "Content-Type": "application/json",
            **signatures(subscription, body, int(time.time() * 1000)),
        }
        try:
            return client.post(subscription.url, content=body, headers=headers).status_code
        except httpx.HTTPError:
            return 0


def signatures(subscription: Subscription, body: bytes, now_ms: int) -> dict[str, str]:
    """The headers that prove where a body comes from, in all three versions."""
    secret, uri = subscription.client_secret.encode(), subscription.url.encode()
    signed = b"POST" + uri + body + str(now_ms).encode()
    return {
        "X-HubSpot-Signature": hashlib.sha256(secret + body).hexdigest(),
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Signature-v2": hashlib.sha256(secret + b"POST" + uri + body).hexdigest(),
        "X-HubSpot-Signature-v3": base64.b64encode(hmac.digest(secret, signed, "sha256")).decode(),
        "X-HubSpot-Request-Timestamp": str(now_ms),
    }
