"""Several portals and several workspaces: none slows another down, and none is taken for another."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crm_sync.connectors.hubspot.client import Access, Account, Client
from crm_sync.models import ArchivedRow, NoticedRow, RunState, SyncCursor
from crm_sync.services.connections import connection_token_save
from isolation import context
from tests.crm_sync.hubspot.conftest import SYSTEM, WEBHOOK_SECRET, Hub
from tests.crm_sync.hubspot.mirrored import assert_equal
from tests.sandbox.hubspot.conftest import LIMITS, Portal


@pytest.fixture
def other(unused_portals: Iterator[Portal], hub: Hub) -> Hub:
    """Another portal, to which the same workspace may be connected."""
    other = Hub(next(unused_portals), hub.tenant)
    other.portal.control("switches", **LIMITS)
    return other


class TestATokenOfAnotherPortal:
    def _replace(self, hub: Hub, other: Hub) -> None:
        with context.tenant_wide(hub.tenant.id):
            connection_token_save(
                connection=hub.connection, login_url=f"{other.portal.base}/portals/{other.portal.name}",
                token=other.portal.facts["token"], webhook_secret=WEBHOOK_SECRET, acting_user=SYSTEM,
            )  # fmt: skip

    def test_has_everything_read_anew(self, hub: Hub, other: Hub) -> None:
        hub.sync()
        self._replace(hub, other)
        other.sync()
        assert other.sync().state == RunState.SUCCEEDED
        assert_equal(other)

    def test_forgets_what_was_noted_of_the_old_one(self, hub: Hub, other: Hub) -> None:
        hub.portal.control("archive", object="deals", id=hub.some_deal())
        hub.sync()
        with context.tenant_wide(hub.tenant.id):
            assert ArchivedRow.objects.exists()
        self._replace(hub, other)
        assert other.sync().state == RunState.QUEUED  # taken from its worker
        with context.tenant_wide(hub.tenant.id):
            for model in (ArchivedRow, NoticedRow, SyncCursor):
                assert not model.objects.exists(), model.__name__


class _Liar(BaseHTTPRequestHandler):
    """Says that it is the portal of that number, that its day's calls are used up, and that nobody may call it for years."""

    portal_id = 0

    def do_GET(self) -> None:
        self.send_response(200 if "account-info" in self.path else 429)
        for name, value in (("Max", "0"), ("Daily", "1000"), ("Daily-Remaining", "0")):
            self.send_header(f"X-HubSpot-RateLimit-{name}", value)
        self.send_header("Retry-After", "99999999")
        self.end_headers()
        self.wfile.write(json.dumps({"portalId": self.portal_id}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def liar(hub: Hub) -> Iterator[str]:
    handler = type("Liar", (_Liar,), {"portal_id": hub.portal.facts["portal_id"]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class TestWhoeverClaimsToBeAPortal:
    def test_does_not_use_up_its_calls(self, hub: Hub, liar: str) -> None:
        hub.sync()
        client = Client(Access(liar, "token", "", 0))
        assert client.account == Account(hub.portal.facts["portal_id"])
        client.close()
        assert hub.sync().state == RunState.SUCCEEDED
