"""OAuth as Salesforce does it: who gets which token, for how long, and when it is refused."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

from sandbox.bearer import user_asserted
from sandbox.errors import ApiError, OAuthError, invalid_session
from sandbox.orgs import Org
from sandbox.refresh import Refreshes

PASSWORD = "sandbox"  # noqa: S105 - every made-up user's, and meant to be known
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CODE_SECONDS = 900
_RENEWING = {"refresh_token", "offline_access"}
_DATA_SCOPES = {"api", "full"}


@dataclass(frozen=True)
class Session:
    """Whom an access token stands for, what it is good for, and the refresh token family that it came of, if any."""

    org: Org
    user_id: str
    scopes: tuple[str, ...]
    issued_at: datetime
    family: str = ""

    @property
    def is_over(self) -> bool:
        """Whether the organisation's access tokens last for some time only, and this one's is up."""
        seconds = self.org.rules.oauth.access_token_seconds
        return seconds > 0 and self.org.clock.now() >= self.issued_at + timedelta(seconds=seconds)

    def check_data(self) -> None:
        """Raises: ApiError INVALID_SESSION_ID, where the token is not for the data API."""
        if not _DATA_SCOPES & set(self.scopes):
            raise ApiError(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")


@dataclass(frozen=True)
class _Grant:
    """What a person has allowed, until the code for it is redeemed."""

    session: Session
    redirect_uri: str
    challenge: str
    granted_at: float


@dataclass(frozen=True)
class Request:
    """A sign-in that waits for a person's answer."""

    org: Org
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    state: str | None
    wants_consent: bool

    def redirected(self, **answer: str) -> str:
        """The address to send the browser to with an answer."""
        full = answer | ({} if self.state is None else {"state": self.state})
        return f"{self.redirect_uri}{'&' if urlsplit(self.redirect_uri).query else '?'}{urlencode(full)}"


class Refused(Exception):
    """A sign-in that is sent back to who asked, with an error in the address."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


class Sessions:
    """The tokens of all organisations."""

    def __init__(self, orgs: Mapping[str, Org]) -> None:
        self._by_client = {org.client_id: org for org in orgs.values()}
        self._names = {org.organisation_id[:15]: org.name for org in orgs.values()}
        self._sessions: dict[str, Session] = {}
        self._grants: dict[str, _Grant] = {}
        self._refreshes = Refreshes()

    def session_of(self, authorization: str) -> Session:
        """The session behind an Authorization header. Raises: ApiError INVALID_SESSION_ID."""
        scheme, _, token = authorization.partition(" ")
        session = self._sessions.get(token.strip())
        if scheme.lower() not in {"bearer", "oauth"} or session is None or session.is_over:
            raise invalid_session()
        return session

    def org_name_of(self, authorization: str) -> str | None:
        """The organisation that a token says it is of, as real ones do in front of their ``!``; good or ended alike."""
        return self._names.get(authorization.partition(" ")[2].strip().partition("!")[0])

    def expire(self, org: Org) -> int:
        """End all access tokens of an organisation; refresh tokens stay good. Gives how many there were."""
        return self._end([token for token, session in self._sessions.items() if session.org is org])

    def _end(self, tokens: list[str]) -> int:
        for token in tokens:
            self._sessions.pop(token, None)
        return len(tokens)

    def _end_family(self, org: Org, family: str) -> None:
        self._end(
            [
                token
                for token, session in self._sessions.items()
                if session.org is org and session.family == family
            ]
        )

    def token(
        self, form: Mapping[str, str], basic: str, base_url: str, *, is_below_org: bool
    ) -> dict[str, str]:
        """The answer to a token request; who asked at the root goes on there. Raises: OAuthError."""
        grant_type = form.get("grant_type", "")
        if grant_type == JWT_BEARER:
            org, user_id = user_asserted(self._by_client, form.get("assertion", ""), base_url)
            session, refresh_token = self._session(org, user_id, org.rules.oauth.scopes), None
        else:
            org = self._client(form, basic, grant_type)
            session, refresh_token = self._granted(grant_type, org, form)
        instance_url = f"{base_url}/orgs/{org.name}" if is_below_org else base_url
        return self._answer(session, refresh_token, base_url, instance_url)

    def _client(self, form: Mapping[str, str], basic: str, grant_type: str) -> Org:
        client_id, secret = _client_of(form, basic)
        org = self._by_client.get(client_id)
        if org is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        is_public = grant_type == "authorization_code" and "code_verifier" in form and not secret
        if not is_public and not hmac.compare_digest(secret.encode(), org.client_secret.encode()):
            raise OAuthError("invalid_client", "invalid client credentials")
        return org

    def _granted(self, grant_type: str, org: Org, form: Mapping[str, str]) -> tuple[Session, str | None]:
        scopes = org.rules.oauth.scopes
        match grant_type:
            case "client_credentials":
                return self._session(org, running_user(org), scopes), None
            case "password":
                return self._session(org, _user_with_password(org, form), scopes), None
            case "refresh_token":
                return self._refreshed(org, form.get("refresh_token", ""))
            case "authorization_code":
                return self._redeemed(org, form)
        raise OAuthError("unsupported_grant_type", "grant type not supported")

    def _session(self, org: Org, user_id: str, scopes: tuple[str, ...], family: str = "") -> Session:
        good_for = scopes if family else tuple(each for each in scopes if each not in _RENEWING)
        return Session(org, user_id, good_for, org.clock.now(), family)

    def _refreshed(self, org: Org, token: str) -> tuple[Session, str | None]:
        with self._refreshes.alone(org, token):
            found = self._refreshes.find(org, token)
            if found is None or found.is_spent:
                if found is not None:
                    self._refreshes.forget(org, found.family)
                    self._end_family(org, found.family)
                raise OAuthError("invalid_grant", "expired access/refresh token")
            time.sleep(org.rules.oauth.refresh_seconds)
            renewed = self._refreshes.rotate(org, found) if org.rules.oauth.rotate_refresh_tokens else None
        return self._session(org, found.user_id, found.scopes, found.family), renewed

    def _redeemed(self, org: Org, form: Mapping[str, str]) -> tuple[Session, str | None]:
        granted = self._redeem(org, form)
        if not _RENEWING & set(granted.scopes):
            return self._session(org, granted.user_id, granted.scopes), None
        family, token = self._refreshes.begin(org, granted.user_id, granted.scopes)
        return self._session(org, granted.user_id, granted.scopes, family), token

    def _answer(
        self, session: Session, refresh_token: str | None, base_url: str, instance_url: str
    ) -> dict[str, str]:
        org = session.org
        access_token = f"{org.organisation_id[:15]}!AQ{secrets.token_urlsafe(60).replace('-', '.')}"
        self._sessions[access_token] = session
        identity = f"{base_url}/id/{org.organisation_id}/{session.user_id}"
        issued_at = str(int(session.issued_at.timestamp() * 1000))
        signature = hmac.digest(org.client_secret.encode(), (identity + issued_at).encode(), "sha256")
        answer = {
            "access_token": access_token, "signature": base64.b64encode(signature).decode(), "scope": " ".join(session.scopes),
            "instance_url": instance_url, "id": identity, "token_type": "Bearer", "issued_at": issued_at,
        }  # fmt: skip
        return answer | ({"refresh_token": refresh_token} if refresh_token else {})

    def request(self, query: Mapping[str, str]) -> Request:
        """What an address for signing in asks. Raises: OAuthError, where nobody can be sent back; Refused, where somebody is."""
        org = self._by_client.get(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if org is None:
            raise OAuthError("invalid_client_id", "client identifier invalid")
        known = org.rules.oauth.redirect_uris
        if urlsplit(redirect_uri).scheme not in {"http", "https"} or (known and redirect_uri not in known):
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response type must be code")
        asked = tuple(query.get("scope", "").split()) or org.rules.oauth.scopes
        consent = org.rules.oauth.consent or "consent" in query.get("prompt", "").split()
        request = Request(
            org, redirect_uri, asked, query.get("code_challenge", ""), query.get("state"), consent
        )
        if not set(asked) <= set(org.rules.oauth.scopes):
            raise Refused(
                request.redirected(
                    error="invalid_scope", error_description="the requested scope is not allowed"
                )
            )
        return request

    def allow(self, request: Request) -> str:
        """The address to send the browser to, with a code, once a person has allowed the sign-in."""
        code = f"aPrx{secrets.token_urlsafe(40)}"
        session = Session(request.org, running_user(request.org), request.scopes, request.org.clock.now())
        self._grants[code] = _Grant(session, request.redirect_uri, request.challenge, time.monotonic())
        return request.redirected(code=code)

    def _redeem(self, org: Org, form: Mapping[str, str]) -> Session:
        grant = self._grants.pop(form.get("code", ""), None)
        is_late = grant is not None and time.monotonic() - grant.granted_at > _CODE_SECONDS
        if grant is None or grant.session.org is not org or is_late:
            raise OAuthError("invalid_grant", "expired authorization code")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise OAuthError("redirect_uri_mismatch", "redirect_uri must match configuration")
        if grant.challenge and _challenge_of(form.get("code_verifier", "")) != grant.challenge:
            raise OAuthError("invalid_grant", "invalid code verifier")
        return grant.session

    def revoke(self, token: str) -> None:
        """End an access token, or a refresh token with the access tokens that came of it. Raises: OAuthError, where there is none such."""
        if self._sessions.pop(token, None) is not None:
            return
        for org in self._by_client.values():
            found = self._refreshes.find(org, token)
            if found is not None:
                self._refreshes.forget(org, found.family)
                self._end_family(org, found.family)
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
    """The user that the integration runs as: the one that was set, or the first."""
    if org.rules.oauth.user:
        return org.rules.oauth.user
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
