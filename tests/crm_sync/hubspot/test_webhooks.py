"""Notices of HubSpot: who is believed, and that what they name is in the mirror within seconds."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.http.response import HttpResponseBase
from django.test import Client as Browser

from audit.models import PlatformEvent
from crm_sync import webhooks
from crm_sync.engine import notices
from crm_sync.models import NoticedRow, Opportunity, RunKind, RunState, SyncRun, SyncSchedule
from crm_sync.tasks import dispatch
from crm_sync.webhooks import LONGEST_BODY, REFUSED, SIGNATURE, TIMESTAMP, signed
from isolation import context
from tenants.models import Tenant
from tests import cast
from tests.conftest import WorkerDatabase
from tests.crm_sync.hubspot.conftest import SYSTEM, WEBHOOK_SECRET, Hub, connected
from tests.crm_sync.hubspot.mirrored import assert_equal
from tests.renewal import Original, original_of
from tests.sandbox.hubspot.conftest import Portal
from tests.whole_path.processes import Processes, processes_on, until

ADDRESS = f"/hooks/hubspot/{cast.ACME}/"


def _now_ms() -> int:
    return int(time.time() * 1000)


def _event(hub: Hub, kind: str = "deal.propertyChange", **more: object) -> dict[str, object]:
    return {
        "eventId": 1,
        "subscriptionType": kind,
        "portalId": hub.portal.facts["portal_id"],
        "occurredAt": _now_ms(),
        **more,
    }


def _send(
    body: object,
    *,
    secret: str = WEBHOOK_SECRET,
    timestamp: object = None,
    address: str = ADDRESS,
    signature: str | None = None,
) -> HttpResponseBase:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = str(_now_ms() if timestamp is None else timestamp)
    told = (
        signed("POST", f"http://testserver{address}", content, stamp, secret)
        if signature is None
        else signature
    )
    return Browser(enforce_csrf_checks=True).post(
        address, content, content_type="application/json", headers={SIGNATURE: told, TIMESTAMP: stamp}
    )


def _noticed(hub: Hub) -> set[tuple[str, str]]:
    with context.tenant_wide(hub.tenant.id):
        return set(NoticedRow.objects.values_list("object_name", "external_id"))


class Kept:
    """A portal that no test changes, and the database as it was once the portal was in the mirror."""

    def __init__(self, portals: Iterator[Portal]) -> None:
        self._portals = portals
        self._found: tuple[Hub, Original] | None = None

    def hub(self, database: WorkerDatabase) -> Hub:
        """Have that database as it was then."""
        if self._found is None or not self._found[1].put_back():
            hub = connected(self._portals)
            hub.sync()
            original = original_of(str(database.services.database_admin_url))
            if original is None:  # no superuser's login: then every test reads its own
                return hub
            self._found = hub, original
        return self._found[0]

    def close(self) -> None:
        if self._found is not None:
            self._found[1].close()


@pytest.fixture(scope="module")
def kept(unused_portals: Iterator[Portal]) -> Iterator[Kept]:
    kept = Kept(unused_portals)
    yield kept
    kept.close()


@pytest.fixture
def synced(kept: Kept, committed: WorkerDatabase) -> Hub:
    """A portal is in the mirror, and the workspace knows which one it is. The portal is not this test's alone: it stays as it is."""
    cache.clear()
    return kept.hub(committed)


class TestANotice:
    def test_that_is_signed_has_its_rows_read(self, synced: Hub) -> None:
        deal = synced.some_deal()
        answer = _send([_event(synced, objectId=int(deal), propertyName="amount", propertyValue="1")])
        assert (answer.status_code, _noticed(synced)) == (204, {("deals", deal)})

    @pytest.mark.parametrize(
        ("event", "rows"),
        [
            ({"kind": "contact.creation", "objectId": 11}, {("contacts", "11")}),
            ({"kind": "object.deletion", "objectTypeId": "0-2", "objectId": 12}, {("companies", "12")}),
            ({"kind": "object.propertyChange", "objectTypeId": "0-48", "objectId": "13"}, {("calls", "13")}),
            ({"kind": "deal.merge", "objectId": 1, "primaryObjectId": 1, "mergedObjectIds": [2, 3]},
             {("deals", "1"), ("deals", "2"), ("deals", "3")}),
            ({"kind": "deal.associationChange", "fromObjectId": 5, "toObjectId": 6, "associationType": "DEAL_TO_CONTACT"},
             {("deals", "5"), ("contacts", "6")}),
            ({"kind": "object.associationChange", "fromObjectId": 5, "fromObjectTypeId": "0-3", "toObjectId": 6,
              "toObjectTypeId": "0-2"}, {("deals", "5")}),
            ({"kind": "conversation.creation", "objectId": 7}, set()),
            ({"kind": "deal.creation", "objectId": "7; DROP TABLE"}, set()),
        ],
    )  # fmt: skip
    def test_names_the_rows_that_it_is_about(
        self, synced: Hub, event: dict[str, object], rows: set[tuple[str, str]]
    ) -> None:
        answer = _send([_event(synced, **event)])  # type: ignore[arg-type]  # the kind is among them
        assert (answer.status_code, _noticed(synced)) == (204, rows)

    def test_waits_while_the_connection_is_paused(self, synced: Hub) -> None:
        def queued() -> bool:
            with context.platform("a test queues what was noticed", SYSTEM):
                notices.queue_noticed()
            with context.tenant_wide(synced.tenant.id):
                return SyncRun.objects.filter(kind=RunKind.NOTICE).exists()

        with context.tenant_wide(synced.tenant.id):
            SyncSchedule.objects.update(is_paused=True)
        _send([_event(synced, objectId=int(synced.some_deal()))])
        assert not queued()
        with context.tenant_wide(synced.tenant.id):
            SyncSchedule.objects.update(is_paused=False)
        assert queued()

    def test_about_another_portal_names_nothing(self, synced: Hub) -> None:
        assert _send([{**_event(synced, objectId=7), "portalId": 4711}]).status_code == 204
        assert _noticed(synced) == set()

    def test_that_comes_twice_counts_once(self, synced: Hub) -> None:
        stamp, body = _now_ms(), [_event(synced, objectId=7)]
        assert _send(body, timestamp=stamp).status_code == 204
        with context.tenant_wide(synced.tenant.id):
            NoticedRow.objects.all().delete()
        assert _send(body, timestamp=stamp).status_code == 204
        assert _noticed(synced) == set()

    def test_reads_rows_that_were_archived_away(self, hub: Hub) -> None:
        cache.clear()
        hub.sync()
        deal = hub.some_deal()
        hub.portal.control("archive", object="deals", id=deal)
        _send([_event(hub, "deal.deletion", objectId=int(deal))])
        _work_on_notices(hub)
        assert_equal(hub)

    def test_that_comes_while_its_rows_are_read_is_not_lost(
        self, synced: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deal = synced.some_deal()
        _send([_event(synced, objectId=int(deal), propertyName="a")])

        first = _queue_notices(synced)
        done = notices.done

        def done_late(*arguments: Any) -> None:
            with context.tenant_wide(synced.tenant.id):
                notices.note(synced.connection, [("deals", deal)])
            monkeypatch.setattr(notices, "done", done)
            done(*arguments)

        monkeypatch.setattr(notices, "done", done_late)
        synced.portal.forget_traffic()
        synced.work(first)
        assert synced.calls()["/crm/v3/objects/deals/batch/read"] == 2
        assert _noticed(synced) == set()


class TestWhatIsNotBelieved:
    def _is_refused(self, hub: Hub, answer: HttpResponseBase, caplog: pytest.LogCaptureFixture) -> None:
        assert (answer.status_code, answer.content.decode()) == (401, REFUSED)  # type: ignore[attr-defined]  # not streamed
        assert _noticed(hub) == set()
        assert "HubSpot notice" in caplog.text
        assert WEBHOOK_SECRET not in caplog.text

    def test_is_another_secret(self, synced: Hub, caplog: pytest.LogCaptureFixture) -> None:
        self._is_refused(synced, _send([_event(synced, objectId=7)], secret="guessed"), caplog)

    @pytest.mark.parametrize("signature", ["", "é", "0" * 44])
    def test_is_no_signature(self, synced: Hub, caplog: pytest.LogCaptureFixture, signature: str) -> None:
        self._is_refused(synced, _send([_event(synced, objectId=7)], signature=signature), caplog)

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_is_an_old_time_or_one_to_come(
        self, synced: Hub, caplog: pytest.LogCaptureFixture, seconds: int
    ) -> None:
        self._is_refused(
            synced, _send([_event(synced, objectId=7)], timestamp=_now_ms() + seconds * 1000), caplog
        )

    @pytest.mark.parametrize("timestamp", ["", "soon", "-1", "9" * 400, "١٢٣"])
    def test_is_no_time(self, synced: Hub, caplog: pytest.LogCaptureFixture, timestamp: str) -> None:
        stamp = timestamp.encode().decode("latin-1")
        self._is_refused(synced, _send([_event(synced, objectId=7)], timestamp=stamp, signature="x"), caplog)

    def test_is_a_body_of_another_signature(self, synced: Hub, caplog: pytest.LogCaptureFixture) -> None:
        stamp = _now_ms()
        signature = signed("POST", f"http://testserver{ADDRESS}", b"[]", str(stamp), WEBHOOK_SECRET)
        self._is_refused(
            synced, _send([_event(synced, objectId=7)], timestamp=stamp, signature=signature), caplog
        )

    @pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1}', b'[{"objectId": 1}]', b"[1]", b"\xff"])
    def test_is_no_list_of_events(self, synced: Hub, caplog: pytest.LogCaptureFixture, body: bytes) -> None:
        self._is_refused(synced, _send(body), caplog)

    def test_is_a_body_without_end(self, synced: Hub, caplog: pytest.LogCaptureFixture) -> None:
        self._is_refused(synced, _send(b" " * (LONGEST_BODY + 1)), caplog)

    @pytest.mark.parametrize("slug", ["nobody-here", cast.BETA])
    def test_is_a_workspace_that_expects_none(
        self, synced: Hub, caplog: pytest.LogCaptureFixture, slug: str
    ) -> None:
        address = f"/hooks/hubspot/{slug}/"
        self._is_refused(synced, _send([_event(synced, objectId=7)], address=address), caplog)

    def test_does_not_fill_the_audit_log(self, synced: Hub, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.ERROR)
        for number in range(70):
            _send([], address=f"/hooks/hubspot/nobody-{number}/")
        with context.platform("count what the knocking left", cast.PLANTER):
            assert PlatformEvent.objects.filter(actor_label="crm_sync.webhooks").count() <= 60


def _queue_notices(hub: Hub) -> SyncRun:
    with context.tenant_wide(hub.tenant.id):
        SyncRun.objects.exclude(state=RunState.SUCCEEDED).delete()
    dispatch.apply().get()
    with context.tenant_wide(hub.tenant.id):
        return SyncRun.objects.get(kind=RunKind.NOTICE, state=RunState.QUEUED)  # type: ignore[no-any-return]  # untyped: the key's class hides it


def _work_on_notices(hub: Hub) -> None:
    run = hub.work(_queue_notices(hub))
    assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")


@pytest.fixture
def processes(committed: WorkerDatabase, worker_id: str, tmp_path: Path) -> Iterator[Processes]:
    with processes_on(committed, worker_id, tmp_path) as processes:
        yield processes


class TestFromTheCrmToTheMirror:
    def test_takes_seconds(self, hub: Hub, processes: Processes) -> None:
        cache.clear()  # somebody tried out addresses a moment ago
        hub.sync()
        processes.start_worker()
        processes.start_beat()
        web = processes.start_web()
        subscription = {"url": f"{web}{ADDRESS}", "client_secret": WEBHOOK_SECRET}
        hub.portal.control("webhooks", subscription=subscription)
        deal = hub.some_deal()
        hub.portal.control("update", object="deals", id=deal, fields={"amount": "123.45"})
        until("the change in the mirror", partial(_has_amount, hub, deal, 12345), seconds=20)
        other = hub.some_deal(1)
        hub.portal.control("archive", object="deals", id=other)
        until("the archived deal to go", lambda: not _amounts(hub, other), seconds=20)
        delivered = hub.portal.control("webhooks/settle")["deliveries"]
        assert {each["status"] for each in delivered} == {204}


def _amounts(hub: Hub, deal: str) -> list[int | None]:
    with context.tenant_wide(hub.tenant.id):
        return list(Opportunity.objects.filter(external_id=deal).values_list("amount_minor", flat=True))


def _has_amount(hub: Hub, deal: str, amount: int) -> bool:
    return _amounts(hub, deal) == [amount]


class TestAFlood:
    def test_of_one_notice_is_put_off_as_a_whole(self, synced: Hub) -> None:
        body = [_event(synced, "deal.merge", objectId=1, mergedObjectIds=list(range(2, 60_000)))]
        answer = _send(body)
        assert (answer.status_code, _noticed(synced)) == (503, set())

    def test_of_many_is_put_off_until_what_waits_was_read(
        self, synced: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(notices, "_MOST_WAITING", 10)
        deals = [synced.some_deal(number) for number in range(12)]
        body = [_event(synced, objectId=int(deal)) for deal in deals]
        assert _send(body).status_code == 204
        late = [_event(synced, objectId=int(synced.some_deal(20)))]
        assert _send(late).status_code == 503
        synced.work(synced.request(kind=RunKind.NOTICE))
        assert _noticed(synced) == set()
        assert _send(late).status_code == 204

    @pytest.mark.parametrize("row_id", ["9" * 60, "\N{ARABIC-INDIC DIGIT THREE}", "", "-1"])
    def test_of_what_is_no_id_names_nothing(self, synced: Hub, row_id: str) -> None:
        assert _send([_event(synced, objectId=row_id)]).status_code == 204
        assert _noticed(synced) == set()

    def test_of_addresses_that_nobody_has_leaves_a_known_workspace_alone(
        self, synced: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhooks, "_LOOKS_A_MINUTE", 1)
        assert _send([_event(synced, objectId=7)]).status_code == 204
        for number in range(3):
            _send([], address=f"/hooks/hubspot/nobody-{number}/")
        assert _send([], address="/hooks/hubspot/nobody-3/").status_code == 503
        assert _send([_event(synced, objectId=8)]).status_code == 204

    def test_of_notices_for_a_workspace_that_was_closed_is_refused(self, synced: Hub) -> None:
        assert _send([_event(synced, objectId=7)]).status_code == 204
        with context.platform(reason="close it", acting_user=SYSTEM):
            Tenant.objects.filter(pk=synced.tenant.id).update(is_active=False)
        assert _send([_event(synced, objectId=8)]).status_code == 401
        cache.clear()  # the address is somebody's again in the next test
