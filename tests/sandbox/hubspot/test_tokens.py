"""Who may call a portal, and for how long."""

import httpx
import pytest

from tests.sandbox.conftest import Server

from .conftest import Portal

DEALS = "/crm/v3/objects/deals"
BACK = "http://127.0.0.1/back?x=1"


class TestPrivateApps:
    def test_a_good_token_is_let_in_and_others_are_not(self, demo: Portal) -> None:
        assert demo.get(DEALS).status_code == 200
        for token in ("x", "pat-na1-00000000-0000-0000-0000-000000000000"):
            demo.sign_in(token)
            answer = demo.get(DEALS)
            assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")

    def test_at_the_root_the_token_decides(self, portals: Server, demo: Portal, scratch: Portal) -> None:
        for portal in (demo, scratch):
            answer = httpx.get(f"{portals.url}/account-info/v3/details", headers=dict(portal.http.headers))
            assert answer.json()["portalId"] == portal.facts["portal_id"]

    def test_another_portals_token_is_not_let_in(self, demo: Portal, scratch: Portal) -> None:
        demo.sign_in(scratch.facts["token"])
        assert demo.get(DEALS).status_code == 401

    def test_a_revoked_token_is_not_let_in(self, portals: Server) -> None:
        other = Portal(portals.url, "other")
        assert other.get(DEALS).status_code == 200
        assert other.control("revoke_token", token=other.facts["token"]) == {"revoked": True}
        assert other.get(DEALS).json()["category"] == "INVALID_AUTHENTICATION"

    def test_tokens_are_printed_at_the_start(self, demo: Portal) -> None:
        assert demo.facts["token"].startswith("pat-na1-")
        assert len(demo.facts["token"]) == 44

    def test_an_unknown_portal_is_404(self, portals: Server) -> None:
        assert httpx.get(f"{portals.url}/portals/nobody{DEALS}").status_code == 404
        assert httpx.get(f"{portals.url}/_sandbox/portals/nobody/stats").status_code == 404


class TestScopes:
    def test_a_missing_one_is_403_and_named(self, scratch: Portal) -> None:
        scratch.control("scopes", remove=["crm.objects.deals.read"])
        answer = scratch.get(DEALS)
        assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
        assert answer.json()["errors"][0]["context"] == {"requiredScopes": ["crm.objects.deals.read"]}
        assert scratch.get("/crm/v3/objects/contacts").status_code == 200
        scratch.control("scopes", add=["crm.objects.deals.read"])
        assert scratch.get(DEALS).status_code == 200

    @pytest.mark.parametrize(
        ("scope", "method", "path"),
        [
            ("crm.objects.deals.write", "POST", DEALS),
            ("crm.objects.owners.read", "GET", "/crm/v3/owners"),
            ("crm.schemas.deals.write", "POST", "/crm/v3/properties/deals"),
            ("sales-email-read", "GET", "/crm/v3/objects/emails"),
            ("crm.objects.contacts.read", "GET", "/crm/v3/objects/calls"),
            ("crm.objects.companies.read", "POST", "/crm/v4/associations/deals/companies/batch/read"),
        ],
    )
    def test_each_thing_wants_its_own(self, scratch: Portal, scope: str, method: str, path: str) -> None:
        scratch.control("scopes", remove=[scope])
        answer = scratch.http.request(method, path, json={})
        scratch.control("scopes", add=[scope])
        assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")


class TestOAuth:
    def test_a_person_agrees_and_the_app_calls_with_what_it_asked_for(self, scratch: Portal) -> None:
        tokens = scratch.let_in("oauth crm.objects.deals.read unknown.scope")
        assert tokens["expires_in"] == 1800
        assert (tokens["hub_id"], tokens["scopes"]) == (
            scratch.facts["portal_id"],
            ["oauth", "crm.objects.deals.read"],
        )
        scratch.sign_in(tokens["access_token"])
        assert scratch.get(DEALS).status_code == 200
        assert scratch.get("/crm/v3/owners").status_code == 403

    def test_the_page_says_who_asks_for_what(self, scratch: Portal) -> None:
        asked = {
            "client_id": scratch.facts["client_id"],
            "redirect_uri": BACK,
            "scope": "crm.objects.deals.read",
            "state": "<s>",
        }
        page = scratch.http.get("/oauth/authorize", params=asked)
        assert page.status_code == 200
        assert "crm.objects.deals.read" in page.text
        assert 'value="&lt;s&gt;"' in page.text
        assert "Connect app" in page.text

    def test_refusing_goes_back_with_an_error_and_the_state(self, scratch: Portal) -> None:
        asked = {
            "client_id": scratch.facts["client_id"],
            "redirect_uri": BACK,
            "scope": "oauth",
            "state": "s1",
        }
        answer = scratch.http.post("/oauth/authorize", params=asked, data={"decision": "deny"})
        back = httpx.URL(answer.headers["location"]).params
        assert (answer.status_code, back["error"], back["state"], back["x"]) == (
            302,
            "access_denied",
            "s1",
            "1",
        )
        assert "code" not in back

    @pytest.mark.parametrize("version", ["v1", "v3"])
    def test_a_refresh_token_gives_further_access_tokens(self, scratch: Portal, version: str) -> None:
        first = scratch.let_in()
        client = {"client_id": scratch.facts["client_id"], "client_secret": scratch.facts["client_secret"]}
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **client}
        second = scratch.http.post(f"/oauth/{version}/token", data=form).json()
        assert second["access_token"] != first["access_token"]
        assert second["refresh_token"] == first["refresh_token"]
        scratch.sign_in(second["access_token"])
        assert scratch.get(DEALS).status_code == 200

    @pytest.mark.parametrize(
        ("form", "reason"),
        [
            ({"grant_type": "refresh_token", "refresh_token": "na1-x"}, "BAD_REFRESH_TOKEN"),
            ({"grant_type": "authorization_code", "code": "x"}, "BAD_AUTH_CODE"),
            ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
            ({"grant_type": "refresh_token", "client_secret": "x"}, "BAD_CLIENT_SECRET"),
            ({"grant_type": "refresh_token", "client_id": "x"}, "BAD_CLIENT_ID"),
        ],
    )
    def test_what_is_wrong_with_a_token_request_is_its_status(
        self, demo: Portal, form: dict[str, str], reason: str
    ) -> None:
        answer = demo.token(**form)
        assert (answer.status_code, answer.json()["status"]) == (400, reason)

    def test_a_code_is_good_once_and_for_its_address(self, scratch: Portal) -> None:
        asked = {
            "client_id": scratch.facts["client_id"],
            "redirect_uri": BACK,
            "scope": "oauth",
            "decision": "allow",
        }
        code = httpx.URL(scratch.http.post("/oauth/authorize", data=asked).headers["location"]).params["code"]
        elsewhere = scratch.token(
            grant_type="authorization_code", code=code, redirect_uri="http://127.0.0.1/other"
        )
        assert elsewhere.json()["status"] == "MISMATCH_REDIRECT_URI_AUTH_CODE"
        assert (
            scratch.token(grant_type="authorization_code", code=code, redirect_uri=BACK).json()["status"]
            == "BAD_AUTH_CODE"
        )

    def test_a_revoked_refresh_token_is_bad(self, scratch: Portal) -> None:
        tokens = scratch.let_in()
        assert scratch.http.delete(f"/oauth/v1/refresh-tokens/{tokens['refresh_token']}").status_code == 204
        answer = scratch.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert answer.json()["status"] == "BAD_REFRESH_TOKEN"

    def test_a_token_tells_about_itself(self, scratch: Portal) -> None:
        tokens = scratch.let_in()
        told = scratch.get(f"/oauth/v1/access-tokens/{tokens['access_token']}").json()
        assert (told["hub_id"], told["token_type"], told["scopes"]) == (
            scratch.facts["portal_id"], "access", ["crm.objects.deals.read", "oauth"])  # fmt: skip
        assert 0 < told["expires_in"] <= 1800
        assert scratch.get("/oauth/v1/access-tokens/x").status_code == 404


class TestExpiry:
    def test_after_half_an_hour_a_token_is_over(self, scratch: Portal) -> None:
        tokens = scratch.let_in()
        scratch.sign_in(tokens["access_token"])
        scratch.control("clock", advance_seconds=1799)
        assert scratch.get(DEALS).status_code == 200
        scratch.control("clock", advance_seconds=2)
        answer = scratch.get(DEALS)
        assert (answer.status_code, answer.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")

    def test_it_can_come_in_the_middle(self, scratch: Portal) -> None:
        tokens = scratch.let_in()
        scratch.sign_in(tokens["access_token"])
        scratch.control("expire_tokens", after_calls=2)
        assert [scratch.get(DEALS).status_code for _ in range(4)] == [200, 200, 401, 401]
        renewed = scratch.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
        scratch.sign_in(renewed["access_token"])
        assert scratch.get(DEALS).status_code == 200

    def test_private_tokens_do_not_expire(self, scratch: Portal) -> None:
        scratch.control("expire_tokens")
        scratch.control("clock", advance_seconds=86_400)
        assert scratch.get(DEALS).status_code == 200

    def test_refresh_tokens_outlive_the_server(self, start: object, tmp_path: object) -> None:
        assert callable(start)
        arguments = ("--scale", 5, "--portal", "kept=5:1", "--home", tmp_path)
        first = start(*arguments)
        refresh_token = Portal(first.url, "kept").let_in()["refresh_token"]
        assert first.stop() == 0
        again = Portal(start(*arguments).url, "kept")
        assert "access_token" in again.token(grant_type="refresh_token", refresh_token=refresh_token).json()
