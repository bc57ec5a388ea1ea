"""Signing in."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from .conftest import API, Client, Server

REDIRECT = "http://localhost:1/callback"


def authorize(crm: Client, **more: str) -> httpx.Response:
    query = {
        "response_type": "code",
        "client_id": "sandbox-default",
        "redirect_uri": REDIRECT,
        "state": "s t",
        **more,
    }
    return crm.http.get("/services/oauth2/authorize", params=query)


def code_of(answer: httpx.Response) -> str:
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


class TestTokens:
    def test_client_credentials_give_what_salesforce_gives(self, crm: Client, server: Server) -> None:
        answer = crm.token_request(grant_type="client_credentials").json()
        assert answer["token_type"] == "Bearer"
        assert answer["instance_url"] == f"{server.url}/orgs/default"
        assert re.fullmatch(r"\d{13}", answer["issued_at"])
        assert answer["access_token"].startswith("00D")
        assert "expires_in" not in answer
        assert "refresh_token" not in answer

    def test_the_secret_may_come_by_basic_and_the_body_in_chunks(self, crm: Client) -> None:
        body = iter([b"grant_type=client_", b"credentials"])
        answer = crm.http.post(
            "/services/oauth2/token",
            content=body,
            auth=("sandbox-default", "sandbox-secret-default"),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert "access_token" in answer.json()

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"client_secret": "wrong"}, "invalid_client"),
            ({"client_id": "stranger"}, "invalid_client_id"),
            ({"grant_type": "wish"}, "unsupported_grant_type"),
            ({"grant_type": "refresh_token", "refresh_token": "gone"}, "invalid_grant"),
            ({"grant_type": "password", "username": "nobody", "password": "x"}, "invalid_grant"),
            (
                {"grant_type": "authorization_code", "code": "never", "redirect_uri": REDIRECT},
                "invalid_grant",
            ),
        ],
    )
    def test_refusals_are_400_with_a_code(self, crm: Client, form: dict[str, str], error: str) -> None:
        answer = crm.token_request(**{"grant_type": "client_credentials", **form})
        assert (answer.status_code, answer.json()["error"]) == (400, error)

    def test_a_user_signs_in_with_the_password_sandbox(self, acme: Client) -> None:
        answer = acme.token_request(
            grant_type="password", username="rep.one@acme.example", password="sandbox"
        ).json()
        acme.http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        assert acme.http.get("/services/oauth2/userinfo").json()["email"] == "rep.one@acme.example"
        identity = httpx.get(answer["id"], headers=acme.http.headers)
        assert identity.json()["user_id"] == answer["id"].rpartition("/")[2]


class TestTheCodeFlow:
    def test_a_code_with_its_verifier_gives_tokens_that_can_be_renewed(self, crm: Client) -> None:
        verifier = "v" * 64
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        sent = authorize(crm, code_challenge=challenge, code_challenge_method="S256")
        assert sent.status_code == 302
        assert parse_qs(urlsplit(sent.headers["location"]).query)["state"] == ["s t"]
        form = {"grant_type": "authorization_code", "code": code_of(sent), "redirect_uri": REDIRECT}
        refresh_token = crm.token_request(**form, code_verifier=verifier).json()["refresh_token"]
        renewed = crm.token_request(grant_type="refresh_token", refresh_token=refresh_token)
        assert "access_token" in renewed.json()
        assert crm.token_request(**form, code_verifier=verifier).json()["error"] == "invalid_grant", (
            "codes work once"
        )

    def test_a_wrong_verifier_is_refused(self, crm: Client) -> None:
        sent = authorize(crm, code_challenge="something else")
        form = {"grant_type": "authorization_code", "code": code_of(sent), "redirect_uri": REDIRECT}
        assert crm.token_request(**form, code_verifier="v").json()["error"] == "invalid_grant"

    def test_another_redirect_address_is_refused(self, crm: Client) -> None:
        form = {
            "grant_type": "authorization_code",
            "code": code_of(authorize(crm)),
            "redirect_uri": "http://x/",
        }
        assert crm.token_request(**form).json()["error"] == "redirect_uri_mismatch"


class TestSessions:
    def test_without_a_good_token_there_is_no_data(self, crm: Client) -> None:
        crm.http.headers["Authorization"] = "Bearer made-up"
        answer = crm.get("/limits")
        assert answer.status_code == 401
        assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]

    def test_a_token_opens_only_its_own_organisation(self, crm: Client, acme: Client, server: Server) -> None:
        headers = {"Authorization": crm.http.headers["Authorization"]}
        assert acme.http.get(f"{API}/limits", headers=headers).status_code == 401
        assert httpx.get(f"{server.url}{API}/limits", headers=headers).status_code == 200, (
            "the root goes by the token"
        )

    def test_tokens_can_be_revoked_and_expired(self, scratch: Client) -> None:
        token = scratch.http.headers["Authorization"].removeprefix("Bearer ")
        assert scratch.http.post("/services/oauth2/revoke", data={"token": token}).status_code == 200
        assert scratch.get("/limits").status_code == 401
        scratch.sign_in()
        assert scratch.control("expire_tokens")["expired"] >= 1
        assert scratch.get("/limits").status_code == 401
