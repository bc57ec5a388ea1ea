"""Signing in."""

import base64
import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

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

    def test_who_signs_in_at_the_root_stays_there_and_still_meets_its_organisations_faults(
        self, server: Server, scratch: Client
    ) -> None:
        form = {"client_id": "sandbox-scratch", "client_secret": "sandbox-secret-scratch"}
        token = httpx.post(
            f"{server.url}/services/oauth2/token", data={"grant_type": "client_credentials", **form}
        ).json()
        assert token["instance_url"] == server.url
        scratch.control("fault", kind="status", status=503)
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        answers = [httpx.get(f"{server.url}{API}/limits", headers=headers).status_code for _ in range(2)]
        assert answers == [503, 200]

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


def tokens_by_code(crm: Client, **more: str) -> dict[str, str]:
    """Tokens of a person who allowed the sign-in."""
    form = {
        "grant_type": "authorization_code",
        "code": code_of(authorize(crm, **more)),
        "redirect_uri": REDIRECT,
    }
    tokens: dict[str, str] = crm.token_request(**form).json()
    return tokens


def refresh(crm: Client, token: str) -> httpx.Response:
    return crm.token_request(grant_type="refresh_token", refresh_token=token)


class TestRefreshing:
    def test_a_rotated_token_works_once_and_its_second_use_ends_the_family(self, scratch: Client) -> None:
        scratch.control("oauth", rotate_refresh_tokens=True)
        first = tokens_by_code(scratch, client_id="sandbox-scratch")["refresh_token"]
        renewed = refresh(scratch, first).json()
        assert renewed["refresh_token"] != first
        newest = refresh(scratch, renewed["refresh_token"]).json()
        assert refresh(scratch, first).json() == {
            "error": "invalid_grant", "error_description": "expired access/refresh token",
        }  # fmt: skip
        assert refresh(scratch, newest["refresh_token"]).status_code == 400, "whoever stole one has all"
        scratch.http.headers["Authorization"] = f"Bearer {newest['access_token']}"
        assert scratch.get("/limits").status_code == 401

    def test_without_rotation_one_token_serves_for_ever(self, scratch: Client) -> None:
        token = tokens_by_code(scratch, client_id="sandbox-scratch")["refresh_token"]
        for _ in range(2):
            assert "refresh_token" not in refresh(scratch, token).json()

    def test_two_refreshes_of_one_token_at_once_are_one_too_many(self, scratch: Client) -> None:
        scratch.control("oauth", refresh_seconds=1.5)
        token = tokens_by_code(scratch, client_id="sandbox-scratch")["refresh_token"]
        with ThreadPoolExecutor(2) as pool:
            answers = sorted(
                pool.map(lambda _: refresh(scratch, token), range(2)), key=lambda each: each.status_code
            )
        assert "access_token" in answers[0].json()
        assert answers[1].json() == {
            "error": "invalid_grant", "error_description": "token request is already being processed",
        }  # fmt: skip
        assert refresh(scratch, token).status_code == 200

    def test_a_revoked_refresh_token_takes_its_access_tokens_along(self, scratch: Client) -> None:
        tokens = tokens_by_code(scratch, client_id="sandbox-scratch")
        scratch.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert scratch.get("/limits").status_code == 200
        revoked = scratch.http.post("/services/oauth2/revoke", data={"token": tokens["refresh_token"]})
        assert revoked.status_code == 200
        assert scratch.get("/limits").status_code == 401
        assert refresh(scratch, tokens["refresh_token"]).json()["error"] == "invalid_grant"
        again = scratch.http.post("/services/oauth2/revoke", data={"token": tokens["refresh_token"]})
        assert again.json()["error"] == "unsupported_token_type"


class TestAccessTokens:
    def test_they_may_last_for_some_time_only(self, scratch: Client) -> None:
        scratch.control("oauth", access_token_seconds=60)
        scratch.control("clock", fix="2031-05-05T12:00:00Z")
        answer = scratch.token_request(grant_type="client_credentials").json()
        assert answer["issued_at"] == str(1_935_748_800_000), "by the organisation's clock"
        scratch.http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        scratch.control("clock", advance_seconds=59)
        assert scratch.get("/limits").status_code == 200
        scratch.control("clock", advance_seconds=1)
        assert scratch.get("/limits").json()[0]["errorCode"] == "INVALID_SESSION_ID"

    def test_one_can_end_in_the_middle_of_a_run(self, scratch: Client) -> None:
        scratch.control("fault", kind="token_expired", path_contains="/limits", after=2)
        assert [scratch.get("/limits").status_code for _ in range(4)] == [200, 200, 401, 401]
        scratch.sign_in()
        assert scratch.get("/limits").status_code == 200

    def test_without_the_scope_api_there_is_no_data(self, scratch: Client) -> None:
        tokens = tokens_by_code(scratch, client_id="sandbox-scratch", scope="refresh_token")
        scratch.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        answer = scratch.get("/limits")
        assert (answer.status_code, answer.json()[0]["message"]) == (
            401, "This session is not valid for use with the REST API",
        )  # fmt: skip
        assert scratch.http.get("/services/oauth2/userinfo").status_code == 200

    def test_without_the_scope_refresh_token_there_is_none(self, scratch: Client) -> None:
        tokens = tokens_by_code(scratch, client_id="sandbox-scratch", scope="api")
        assert "refresh_token" not in tokens
        assert tokens["scope"] == "api"


class TestConsent:
    def test_the_page_asks_and_both_answers_come_back_to_the_app(self, scratch: Client) -> None:
        scratch.control("oauth", consent=True)
        page = authorize(scratch, client_id="sandbox-scratch")
        assert page.status_code == 200
        kept = dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)">', page.text))
        assert kept["redirect_uri"] == REDIRECT
        answers = []
        for decision in re.findall(r'<button name="decision" value="(.*?)">', page.text):
            sent = scratch.http.post("/services/oauth2/authorize", data={**kept, "decision": decision})
            assert sent.headers["location"].startswith(REDIRECT)
            answers.append(parse_qs(urlsplit(sent.headers["location"]).query))
        assert answers[0]["code"]
        assert answers[1]["error"] == ["access_denied"]
        assert answers[0]["state"] == answers[1]["state"] == ["s t"]

    def test_what_the_page_keeps_is_text_not_markup(self, scratch: Client) -> None:
        page = authorize(scratch, client_id="sandbox-scratch", prompt="consent", state='"><script>')
        assert "<script>" not in page.text

    def test_an_address_that_is_not_registered_and_a_scope_that_is_not_allowed(self, scratch: Client) -> None:
        scratch.control("oauth", redirect_uris=[REDIRECT])
        refused = authorize(scratch, client_id="sandbox-scratch", redirect_uri="https://elsewhere.example/")
        assert (refused.status_code, refused.json()["error"]) == (400, "redirect_uri_mismatch")
        sent = authorize(scratch, client_id="sandbox-scratch", scope="api chatter_api")
        assert parse_qs(urlsplit(sent.headers["location"]).query)["error"] == ["invalid_scope"]


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(key: rsa.RSAPrivateKey, algorithm: str = "RS256", **claims: object) -> str:
    """An assertion of the head of sales at Acme, with other claims where given."""
    usual = {
        "iss": "sandbox-acme", "sub": "head@acme.example", "aud": "https://login.salesforce.com", "exp": time.time() + 180,
    }  # fmt: skip
    text = f"{part({'alg': algorithm})}.{part(usual | claims)}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def by_jwt(crm: Client, assertion: str) -> httpx.Response:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    return crm.http.post("/services/oauth2/token", data=form)


class TestJwtBearer:
    @pytest.fixture
    def key(self, acme: Client) -> rsa.RSAPrivateKey:
        """The organisation's own key."""
        pem = acme.http.get(f"{acme.base}/_sandbox/orgs/acme/jwt_key").content
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    def test_the_holder_of_the_key_is_the_user_asserted(self, acme: Client, key: rsa.RSAPrivateKey) -> None:
        answer = by_jwt(acme, signed(key)).json()
        assert "refresh_token" not in answer
        acme.http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        assert acme.http.get("/services/oauth2/userinfo").json()["email"] == "head@acme.example"
        assert acme.get("/limits").status_code == 200

    @pytest.mark.parametrize(
        ("claims", "error", "words"),
        [
            ({"iss": "stranger"}, "invalid_client_id", "client identifier invalid"),
            ({"sub": "nobody@acme.example"}, "invalid_grant", "user hasn't approved this consumer"),
            ({"aud": "https://evil.example"}, "invalid_grant", "audience is invalid"),
            ({"exp": 1_700_000_000}, "invalid_grant", "expired authorization code"),
            ({"algorithm": "HS256"}, "invalid_grant", "invalid assertion"),
            ({"exp": "soon"}, "invalid_grant", "invalid assertion"),
        ],
    )
    def test_each_claim_is_checked(
        self, acme: Client, key: rsa.RSAPrivateKey, claims: dict[str, Any], error: str, words: str
    ) -> None:
        answer = by_jwt(acme, signed(key, **claims))
        assert (answer.status_code, answer.json()) == (400, {"error": error, "error_description": words})

    def test_another_key_and_a_changed_text_are_refused(self, acme: Client, key: rsa.RSAPrivateKey) -> None:
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        head, _, signature = signed(key).split(".")
        other = part(
            {
                "iss": "sandbox-acme",
                "sub": "rep.one@acme.example",
                "aud": "https://login.salesforce.com",
                "exp": 4e9,
            }
        )
        for assertion in (signed(stranger), f"{head}.{other}.{signature}", "", "a.b", "a.b.c"):
            assert by_jwt(acme, assertion).json()["error_description"] == "invalid assertion"

    def test_a_certificate_can_be_registered_instead(self, scratch: Client) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
        scratch.control("oauth", certificate=pem)
        user = scratch.values("SELECT Username FROM User LIMIT 1")[0]
        assert "access_token" in by_jwt(scratch, signed(key, iss="sandbox-scratch", sub=user)).json()
        assert scratch.try_control("oauth", certificate="no key").json()[0]["errorCode"] == "BAD_COMMAND"
