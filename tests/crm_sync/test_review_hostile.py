"""A CRM, or somebody who speaks like one, that says what no CRM should: nothing hangs, nothing leaks, nobody else notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crm_sync import http
from crm_sync.connectors.base import ConfigurationProblem, ConnectorProblem, PassingProblem
from crm_sync.connectors.hubspot.client import Access, Account
from crm_sync.connectors.hubspot.client import Client as HubSpot
from crm_sync.connectors.salesforce import signing_in
from crm_sync.connectors.salesforce.objects import DEALS
from crm_sync.connectors.salesforce.signing_in import Credentials
from crm_sync.mapping.document import from_json
from crm_sync.mapping.fitting import faults_of
from crm_sync.models import RunState
from crm_sync.services.connections import connection_token_save
from crm_sync.tokens import Grant
from isolation import context
from isolation.errors import InvalidInput
from tests.crm_sync.conftest import SYSTEM, Crm


class _Talker(BaseHTTPRequestHandler):
    """Talks without end at /services/oauth2/userinfo and /services/oauth2/revoke."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(64):
                self.wfile.write(b" " * 1024 * 1024)
        except OSError:
            pass

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def talker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Talker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class TestAToken:
    @pytest.mark.parametrize(
        "token", ["pat-s3cr3t\nx", "pat-s3cr3t\N{RIGHT SINGLE QUOTATION MARK}", "pat-s3cr3t\x00"]
    )
    def test_that_no_header_can_carry_is_not_repeated(self, talker: str, token: str) -> None:
        client = HubSpot(Access(talker, token, "1", 0))
        with pytest.raises(ConnectorProblem) as refused:
            client.get("/account-info/v3/details", Account)
        assert "s3cr3t" not in refused.value.sentence
        assert isinstance(refused.value, ConfigurationProblem)

    @pytest.mark.parametrize(
        "token", ["pat s3cr3t", "pat-s3cr3t\nx", "pat-\N{RIGHT SINGLE QUOTATION MARK}s3cr3t"]
    )
    def test_that_no_header_can_carry_is_not_saved(self, crm: Crm, token: str) -> None:
        with context.tenant_wide(crm.tenant.id), pytest.raises(InvalidInput) as refused:
            connection_token_save(
                connection=crm.connection, login_url="https://api.hubapi.com", token=token, webhook_secret="",
                acting_user=SYSTEM,
            )  # fmt: skip
        assert (refused.value.field, "s3cr3t" in refused.value.message) == ("token", False)


class TestAPause:
    @pytest.mark.parametrize("text", ["\N{SUPERSCRIPT TWO}", "9" * 400, "-1", "soon", ""])
    def test_that_is_none_is_not_waited_for(self, text: str) -> None:
        seconds = http.retry_after({"Retry-After": text})
        assert seconds is None or 0 <= seconds <= 86_400

    def test_of_years_puts_a_run_off_by_a_day_at_most(self, crm: Crm) -> None:
        crm.client.control(
            "fault", kind="status", status=503, path_contains="/describe", times=0,
            headers={"Retry-After": "999999999"},
        )  # fmt: skip
        run = crm.sync()
        assert run.state == RunState.QUEUED
        assert run.ready_at <= datetime.now(UTC) + timedelta(days=1, minutes=1)


class TestAClock:
    @pytest.mark.parametrize("text", ["\N{SUPERSCRIPT TWO}", "9" * 400, "9" * 5000, "no time"])
    def test_that_is_none_is_ours(self, text: str) -> None:
        assert signing_in._ahead(text) == 0.0


class TestAnAnswer:
    def test_without_end_is_not_read_to_its_end(self, talker: str) -> None:
        grant, app = Grant("token", talker), Credentials(talker, "app", "")
        with http.client() as client:
            with pytest.raises(PassingProblem):
                signing_in.account_of(client, grant)
            with pytest.raises(PassingProblem):
                signing_in.revoke(client, app, "token")


class TestATimeZone:
    @pytest.mark.parametrize("name", ["", "America", "../../etc/passwd", "Mars/Base", "x" * 10_000, "a\x00b"])
    def test_that_is_none_is_utc(self, name: str) -> None:
        assert Account(1, timeZone=name).zone.key == "UTC"


class TestAMapping:
    def test_of_very_many_names_is_read(self) -> None:
        names = ", ".join(f'"k{number}": ""' for number in range(20_000))
        assert len(from_json(f'{{"Opportunity": {{{names}}}}}')["Opportunity"]) == 20_000

    def test_of_too_many_fields_is_refused_at_once(self) -> None:
        fields = {f"k{number}": "Nam" + "e" * 200 for number in range(40_000)}
        (fault,) = faults_of(DEALS, fields, {})
        assert "map at most 200" in fault.problem
