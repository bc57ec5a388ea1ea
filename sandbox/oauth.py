"""OAuth as Salesforce does it: access tokens without an end date, refresh tokens that outlive the server."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from sandbox.errors import OAuthError, invalid_session
from sandbox.orgs import Org

PASSWORD = "sandbox"  # noqa: S105 - every made-up user's, and meant to be known
_CODE_SECONDS = 900


@dataclass(frozen=True)
class Session:
    """Whom an access token stands for."""

    org: Org
    user_id: str


@dataclass(frozen=True)
class _Grant:
    session: Session
    redirect_uri: str
    challenge: str
    granted_at: float


class Sessions:
    """The tokens of all organisations."""

    def __init__(self, orgs: Mapping[str, Org]) -> None:
        self._by_client = {org.client_id: org for org in orgs.values()}
        self._sessions: dict[str, Session] = {}
        self._grants: dict[str, _Grant] = {}

    def session_of(self, authorization: str) -> Session:
        """The session behind an Authorization header. Raises: ApiError INVALID_SESSION_ID."""
        scheme, _, token = authorization.partition(" ")
        session = self._sessions.get(token.strip())
        if scheme.lower() not in {"bearer", "oauth"} or session is None:
            raise invalid_session()
        return session

    def expire(self, org: Org) -> int:
        """End all access tokens of an organisation; refresh tokens stay good. Gives how many there were."""
        ended = [token for token, session in self._sessions.items() if session.org is org]
        for token in ended:
            del self._sessions[token]
        return len(ended)

    def token(self, form: Mapping[str, str], basic: str, base_url: str) -> dict[str, str]:
        """The answer to a token request. Raises: OAuthError."""
        client_id, secret = _client_of(form, basic)
        org = self._by_client.get(client_id)
        if org is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        grant_type = form.get("grant_type", "")
        is_public = grant_type == "authorization_code" and "code_verifier" in form and not secret
        if not is_public and not hmac.compare_digest(secret.encode(), org.client_secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials")
        session, refresh_token = self._granted(grant_type, org, form)
        return self._answer(session, refresh_token, base_url)

    def _granted(self, grant_type: str, org: Org, form: Mapping[str, str]) -> tuple[Session, str | None]:
        match grant_type:
            case "client_credentials":
                return Session(org, running_user(org)), None
            case "password":
                return Session(org, _user_with_password(org, form)), None
            case "refresh_token":
                return Session(org, _refreshed_user(org, form.get("refresh_token", ""))), None
            case "authorization_code":
                session = self._redeem(org, form)
                return session, _new_refresh_token(session)
        raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _answer(self, session: Session, refresh_token: str | None, base_url: str) -> dict[str, str]:
        org = session.org
        access_token = f"{org.organisation_id[:15]}!AQ{secrets.token_urlsafe(60).replace('-', '.')}"
        self._sessions[access_token] = session
        identity, issued_at = (
            f"{base_url}/id/{org.organisation_id}/{session.user_id}",
            str(int(time.time() * 1000)),
        )
        signature = hmac.digest(org.client_secret.encode(), (identity + issued_at).encode(), "sha256")
        answer = {
            "access_token": access_token, "signature": base64.b64encode(signature).decode(), "scope": "refresh_token api",
            "instance_url": f"{base_url}/orgs/{org.name}", "id": identity, "token_type": "Bearer", "issued_at": issued_at,
        }  # fmt: skip
        return answer | ({"refresh_token": refresh_token} if refresh_token else {})

    def authorize(self, query: Mapping[str, str]) -> str:
        """The address to send the browser to, with a code: whoever asks is let in at once. Raises: OAuthError."""
        org = self._by_client.get(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if org is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        if urlsplit(redirect_uri).scheme not in {"http", "https"}:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response type must be code")
        code = f"aPrx{secrets.token_urlsafe(40)}"
        session = Session(org, running_user(org))
        self._grants[code] = _Grant(session, redirect_uri, query.get("code_challenge", ""), time.monotonic())
        answer = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        return f"{redirect_uri}{'&' if urlsplit(redirect_uri).query else '?'}{urlencode(answer)}"

    def _redeem(self, org: Org, form: Mapping[str, str]) -> Session:
        grant = self._grants.pop(form.get("code", ""), None)
        if (
            grant is None
            or grant.session.org is not org
            or time.monotonic() - grant.granted_at > _CODE_SECONDS
        ):
            raise OAuthError("invalid_grant", "expired authorization code")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if grant.challenge and _challenge_of(form.get("code_verifier", "")) != grant.challenge:
            raise OAuthError("invalid_grant", "invalid code verifier")
        return grant.session

    def revoke(self, token: str) -> None:
        """End an access token or a refresh token. Raises: OAuthError, where there is none such."""
        if self._sessions.pop(token, None) is not None:
            return
        for org in self._by_client.values():
            with org.database.writing() as connection:
                if connection.execute("DELETE FROM _refresh_token WHERE token = ?", (token,)).rowcount:
                    return
        raise OAuthError("unsupported_token_type", "this token is not known")


def _client_of(form: Mapping[str, str], basic: str) -> tuple[str, str]:
    """Client id and secret, from the form or from HTTP Basic."""
    scheme, _, encoded = basic.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:
        raise OAuthError("invalid_client", "invalid client credentials") from error
    return client_id, secret


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def running_user(org: Org) -> str:
    """The user that the integration runs as: the first one."""
    row = org.database.reader.execute(
        'SELECT "Id" FROM "User" WHERE "Id" IS NOT NULL ORDER BY _row LIMIT 1'
    ).fetchone()
    return str(row[0]) if row else "005000000000000AAA"


def _user_with_password(org: Org, form: Mapping[str, str]) -> str:
    name, password = form.get("username", ""), form.get("password", "")
    row = org.database.reader.execute(
        'SELECT "Id" FROM "User" WHERE "Username" = ? COLLATE NOCASE', (name,)
    ).fetchone()
    if row is None or password != PASSWORD:
        raise OAuthError("invalid_grant", "authentication failure")
    return str(row[0])


def _refreshed_user(org: Org, token: str) -> str:
    row = org.database.reader.execute(
        "SELECT user_id FROM _refresh_token WHERE token = ?", (token,)
    ).fetchone()
    if row is None:
        raise OAuthError("invalid_grant", "expired access/refresh token")
    return str(row[0])


def _new_refresh_token(session: Session) -> str:
    token = f"5Aep{secrets.token_urlsafe(48)}"
    with session.org.database.writing() as connection:
        connection.execute("INSERT INTO _refresh_token VALUES (?, ?)", (token, session.user_id))
    return token
