"""A person's consent connects Salesforce; whoever else answers, or answers twice, changes nothing; tokens are renewed once for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.db import connection as database
from django.http.response import HttpResponseBase
from django.test import Client

from audit.models import Event
from crm_sync import consent, oauth
from crm_sync.connectors import opener_of
from crm_sync.models import Connection, ConnectionState, RunState, SignIn, SyncCursor
from crm_sync.secrets import decrypt
from crm_sync.tokens import Shelf
from isolation import context
from tenants.models import Member
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal

SignedIn = Callable[[Member], Client]
BEGIN = "/w/acme-corp/settings/crm/salesforce/connect/"
DISCONNECT = "/w/acme-corp/settings/crm/salesforce/disconnect/"
CALLBACK = "/crm/callback/"


@pytest.fixture
def browser(crm: Crm, admin: Member, client_of: SignedIn) -> Iterator[Client]:
    """Acme's admin, before a connection that nobody has set up."""
    with context.tenant_wide(crm.tenant.id):
        Connection.objects.update(
            state=ConnectionState.NEW, secret_encrypted=b"", client_id="", login_url="", error_message=""
        )
    yield client_of(admin)
    crm.client.http.delete(f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/oauth")


def credentials(crm: Crm) -> dict[str, str]:
    return {
        "login_url": f"{crm.client.base}/orgs/{crm.client.org}",
        "client_id": f"sandbox-{crm.client.org}",
        "secret": f"sandbox-secret-{crm.client.org}",
    }


def asked(browser: Client, crm: Crm, **changed: str) -> str:
    """The address of the CRM's page that the browser is sent to."""
    answer = browser.post(BEGIN, {**credentials(crm), **changed})
    assert answer.status_code == 200, answer.content.decode()
    address: str = answer.headers["Refresh"].removeprefix("0;url=")
    assert address.replace("&", "&amp;") in answer.content.decode()
    return address


def answered(address: str, decision: str = "allow") -> str:
    """Where the CRM's page sends the browser back to, as path and query."""
    answer = httpx.post(address, data={"decision": decision})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def connect(browser: Client, crm: Crm) -> HttpResponseBase:
    return browser.get(answered(asked(browser, crm)))


def told(browser: Client, answer: HttpResponseBase) -> str:
    """The page that an answer leads to."""
    assert answer.status_code == 302, answer
    return browser.get(answer.headers["Location"]).content.decode()


def events(crm: Crm, code: str) -> list[Event]:
    with context.tenant_wide(crm.tenant.id):
        return list(Event.objects.filter(code=f"crm_sync.{code}"))


def refreshes(crm: Crm) -> int:
    """Token requests that Salesforce answered with success since the consent."""
    calls = crm.client.http.get(f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/stats").json()
    return sum(
        each["calls"] for each in calls if each["path"].endswith("oauth2/token") and each["status"] == 200
    )


def clear_stats(crm: Crm) -> None:
    crm.client.http.delete(f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/stats")


class TestAConsent:
    def test_connects_and_the_first_sync_runs_with_it(self, crm: Crm, browser: Client) -> None:
        page = told(browser, connect(browser, crm))
        assert "Connected as" in page
        connection = crm.connection
        assert (connection.state, connection.sign_in) == (ConnectionState.ACTIVE, SignIn.OAUTH)
        assert connection.portal_id in connection.account_label
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)
        assert len(events(crm, "connection_authorized")) == 1

    def test_asks_with_pkce_and_one_fixed_address(self, crm: Crm, browser: Client) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(asked(browser, crm)).query).items()}
        assert query["redirect_uri"] == f"http://testserver{CALLBACK}"
        assert (query["code_challenge_method"], len(query["code_challenge"])) == ("S256", 43)
        assert set(query["scope"].split()) == {"api", "refresh_token"}
        assert "secret" not in str(query)

    def test_keeps_tokens_and_secret_encrypted(self, crm: Crm, browser: Client) -> None:
        connect(browser, crm)
        grant = Shelf(crm.connection).held().grant
        assert grant.access_token
        stored = bytes(crm.connection.tokens_encrypted)
        assert grant.access_token.encode() not in stored
        assert grant.refresh_token in decrypt(stored)
        seen = browser.get("/w/acme-corp/settings/crm/salesforce/").content.decode()
        assert grant.access_token not in seen
        assert grant.refresh_token not in seen

    def test_saves_nothing_before_it_is_given(self, crm: Crm, browser: Client) -> None:
        asked(browser, crm)
        assert (crm.connection.state, crm.connection.login_url) == (ConnectionState.NEW, "")

    def test_of_another_organisation_reads_everything_again(self, crm: Crm, browser: Client) -> None:
        connect(browser, crm)
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            Connection.objects.update(portal_id="00D000000OTHER")
        connect(browser, crm)
        with context.tenant_wide(crm.tenant.id):
            assert not SyncCursor.objects.exists()

    @pytest.mark.parametrize("field", ["login_url", "client_id"])
    def test_is_not_asked_for_with_what_cannot_be_right(self, crm: Crm, browser: Client, field: str) -> None:
        answer = browser.post(
            BEGIN, {**credentials(crm), field: "" if field == "client_id" else "ftp://a.com"}
        )
        assert answer.status_code == 400
        assert "id_" + field in answer.content.decode()


class TestAnAnswer:
    """From the CRM's page, or from somebody who pretends to be that."""

    def refused(self, crm: Crm, browser: Client, address: str) -> None:
        answer = browser.get(address)
        assert answer.status_code == 400
        assert "belongs to no request of yours" in answer.content.decode()
        assert not events(crm, "connection_authorized")

    def test_with_another_state_is_refused_and_the_right_one_still_counts(
        self, crm: Crm, browser: Client
    ) -> None:
        right = answered(asked(browser, crm))
        state = parse_qs(urlsplit(right).query)["state"][0]
        self.refused(crm, browser, right.replace(state, "guessed"))
        assert "Connected as" in told(browser, browser.get(right))

    def test_in_another_persons_browser_is_refused(
        self, crm: Crm, browser: Client, analyst: Member, client_of: SignedIn
    ) -> None:
        self.refused(crm, client_of(analyst), answered(asked(browser, crm)))

    def test_in_another_session_of_the_same_person_is_refused(
        self, crm: Crm, browser: Client, admin: Member, client_of: SignedIn
    ) -> None:
        self.refused(crm, client_of(admin), answered(asked(browser, crm)))

    def test_after_ten_minutes_is_refused(
        self, crm: Crm, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(consent, "MINUTES", -1)
        self.refused(crm, browser, answered(asked(browser, crm)))

    def test_sent_twice_counts_once(self, crm: Crm, browser: Client) -> None:
        address = answered(asked(browser, crm))
        assert "Connected as" in told(browser, browser.get(address))
        before = crm.connection.tokens_version
        again = browser.get(address)
        assert again.status_code == 400
        assert crm.connection.tokens_version == before

    def test_that_denies_is_said_and_recorded_and_changes_nothing(self, crm: Crm, browser: Client) -> None:
        page = told(browser, browser.get(answered(asked(browser, crm), "deny")))
        assert "Access was denied" in page
        assert crm.connection.state == ConnectionState.NEW
        (event,) = events(crm, "connection_not_authorized")
        assert "Access was denied" in event.sentence

    def test_to_another_verifier_is_refused_by_the_crm(
        self, crm: Crm, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(oauth, "challenge_of", lambda _verifier: "another" * 6)
        page = told(browser, connect(browser, crm))
        assert "did not give tokens for this consent" in page
        assert crm.connection.state == ConnectionState.NEW

    def test_without_a_refresh_token_is_not_enough(self, crm: Crm, browser: Client) -> None:
        address = asked(browser, crm).replace("api+refresh_token", "api")
        page = told(browser, browser.get(answered(address)))
        assert "gave no refresh token" in page
        assert crm.connection.state == ConnectionState.NEW

    def test_without_the_right_to_read_is_not_enough(self, crm: Crm, browser: Client) -> None:
        address = asked(browser, crm).replace("api+refresh_token", "refresh_token")
        page = told(browser, browser.get(answered(address)))
        assert "granted no right to read data" in page
        assert crm.connection.state == ConnectionState.NEW

    def test_of_an_app_that_lacks_the_scope_says_which(self, crm: Crm, browser: Client) -> None:
        crm.client.control("oauth", scopes=["openid"])
        page = told(browser, browser.get(answered(asked(browser, crm))))
        assert "invalid_scope" in page

    def test_with_a_wrong_secret_is_refused(self, crm: Crm, browser: Client) -> None:
        page = told(browser, browser.get(answered(asked(browser, crm, secret="wrong"))))
        assert "does not accept the client id and secret" in page
        assert crm.connection.state == ConnectionState.NEW

    def test_to_one_who_may_no_longer_edit_is_forbidden(
        self, crm: Crm, browser: Client, monkeypatch: pytest.MonkeyPatch, rep: Member, client_of: SignedIn
    ) -> None:
        assert client_of(rep).post(BEGIN, credentials(crm)).status_code == 403


class TestARenewal:
    @pytest.fixture
    def connected(self, crm: Crm, browser: Client) -> Crm:
        connect(browser, crm)
        crm.client.control("oauth", rotate_refresh_tokens=True, refresh_seconds=0.3)
        clear_stats(crm)
        return crm

    def test_by_eight_at_once_asks_the_crm_once_and_all_go_on(self, connected: Crm) -> None:
        """Salesforce ends the consent for whoever uses a refresh token twice: two calls would show."""
        connected.client.control("expire_tokens")
        found: list[str] = []
        start = threading.Barrier(8)

        def work() -> None:
            source = opener_of("salesforce")(connected.connection)
            try:
                start.wait()
                found.append(source.check())
            finally:
                source.close()
                database.close()

        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(found) == 8
        assert all(sentence.startswith("Signed in") for sentence in found)
        assert refreshes(connected) == 1
        assert connected.connection.tokens_busy_until is None

    def test_stores_the_rotated_token_and_works_again_and_again(self, connected: Crm) -> None:
        for _ in range(3):
            before = Shelf(connected.connection).held()
            connected.client.control("expire_tokens")
            assert connected.sync().state == RunState.SUCCEEDED
            after = Shelf(connected.connection).held()
            assert after.version == before.version + 1
            assert after.grant.refresh_token != before.grant.refresh_token
        assert_equal(connected)

    def test_that_another_is_at_passes(self, connected: Crm) -> None:
        body = '{"error":"invalid_grant","error_description":"token request is already being processed"}'
        connected.client.control("fault", kind="status", status=400, body=body, path_contains="oauth2/token")
        connected.client.control("expire_tokens")
        assert connected.sync().state == RunState.SUCCEEDED

    def test_whose_worker_died_is_taken_over_when_its_lease_is_over(self, connected: Crm) -> None:
        with context.tenant_wide(connected.tenant.id), database.cursor() as cursor:
            cursor.execute("UPDATE crm_sync_connection SET tokens_busy_until = now() + interval '1 s'")
        connected.client.control("expire_tokens")
        assert connected.sync().state == RunState.SUCCEEDED

    def test_holds_no_transaction_while_the_crm_thinks(self, connected: Crm) -> None:
        shelf, seen = Shelf(connected.connection), []
        held = shelf.held()

        def renew(grant: object) -> object:
            seen.append(database.in_atomic_block)
            return held.grant

        shelf.renewed(held.version, renew)  # type: ignore[arg-type]  # whatever it is given, it gives the old one
        assert seen == [False]

    def test_refused_because_the_consent_was_taken_back_needs_a_person(
        self, connected: Crm, browser: Client
    ) -> None:
        grant = Shelf(connected.connection).held().grant
        address = f"{connected.client.base}/orgs/{connected.client.org}/services/oauth2/revoke"
        assert httpx.post(address, data={"token": grant.refresh_token}).status_code == 200
        run = connected.sync()
        assert (run.state, run.error_code) == (RunState.FAILED, "sign_in_revoked")
        assert "Reconnect" in run.error_message
        assert connected.connection.state == ConnectionState.NEEDS_ATTENTION
        again = browser.post(BEGIN)  # a button without fields: what is stored counts
        assert "Connected as" in told(browser, browser.get(answered(again.headers["Refresh"][6:])))
        assert connected.sync().state == RunState.SUCCEEDED


class TestDisconnecting:
    def test_ends_the_consent_and_forgets_the_tokens(self, crm: Crm, browser: Client) -> None:
        connect(browser, crm)
        grant = Shelf(crm.connection).held().grant
        page = told(browser, browser.post(DISCONNECT))
        assert "Salesforce has ended the consent" in page
        connection = crm.connection
        assert connection.state == ConnectionState.NEW
        assert (bytes(connection.tokens_encrypted), bytes(connection.secret_encrypted)) == (b"", b"")
        answer = crm.client.token_request(grant_type="refresh_token", refresh_token=grant.refresh_token)
        assert answer.json()["error"] == "invalid_grant"
        assert len(events(crm, "connection_disconnected")) == 1

    def test_works_where_the_crm_does_not_answer_and_says_what_is_left_to_do(
        self, crm: Crm, browser: Client
    ) -> None:
        connect(browser, crm)
        crm.client.control("fault", kind="status", status=503, path_contains="oauth2/revoke")
        page = told(browser, browser.post(DISCONNECT))
        assert "take it back there" in page
        assert crm.connection.state == ConnectionState.NEW

    def test_while_a_token_is_renewed_stays_disconnected(self, crm: Crm, browser: Client) -> None:
        connect(browser, crm)
        shelf = Shelf(crm.connection)
        held = shelf.held()

        def renew(grant: object) -> object:
            browser.post(DISCONNECT)
            return held.grant

        with pytest.raises(Exception, match="disconnected"):
            shelf.renewed(held.version, renew)  # type: ignore[arg-type]  # as above
        assert bytes(crm.connection.tokens_encrypted) == b""
