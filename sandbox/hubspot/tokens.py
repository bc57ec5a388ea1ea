"""Who may call a portal: its private app, and an OAuth app whose access tokens last half an hour."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from sandbox.hubspot.errors import HubSpotError, TokenError, expired, missing_scopes, unauthorized
from sandbox.hubspot.store import PortalStore, encode

SCOPES = (
    "oauth", "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.companies.read",
    "crm.objects.companies.write", "crm.objects.deals.read", "crm.objects.deals.write", "crm.objects.owners.read",
    "crm.schemas.contacts.read", "crm.schemas.contacts.write", "crm.schemas.companies.read", "crm.schemas.companies.write",
    "crm.schemas.deals.read", "crm.schemas.deals.write", "sales-email-read",
)  # fmt: skip
_CODE_SECONDS = 600


@dataclass
class Session:
    """What a token may do, and until when: ``expires_ms`` is None for the private app's."""

    scopes: set[str]
    expires_ms: int | None = None
    user_id: int = 0

    def require(self, *scopes: str) -> None:
        """Raises: HubSpotError MISSING_SCOPES, unless every one of the scopes was granted."""
        missing = [scope for scope in scopes if scope not in self.scopes]
        if missing:
            raise missing_scopes(missing)


class Grant(msgspec.Struct):
    """What stands behind a refresh token."""

    scopes: list[str]
    user_id: int


@dataclass(frozen=True)
class _Code:
    grant: Grant
    redirect_uri: str
    granted_at: float


@dataclass
class Client:
    """The OAuth app of a portal."""

    client_id: str
    client_secret: str


@dataclass
class Tokens:
    """The tokens of one portal."""

    store: PortalStore
    now_ms: Callable[[], int]
    private_token: str
    client: Client
    user_id: int
    expire_after_calls: int | None = None
    _sessions: dict[str, Session] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sessions[self.private_token] = Session(set(SCOPES), None, self.user_id)

    def knows(self, token: str) -> bool:
        """Whether a token is one of this portal's, good or expired."""
        return token in self._sessions

    def session_of(self, token: str) -> Session:
        """The session of a token. Raises: HubSpotError INVALID_AUTHENTICATION, EXPIRED_AUTHENTICATION."""
        session = self._sessions.get(token)
        if session is None:
            raise unauthorized()
        over = None if session.expires_ms is None else self.now_ms() - session.expires_ms
        if over is not None and over >= 0:
            raise expired(over // 1000)
        return session

    def count_down(self) -> None:
        """A call has come in: when the calls until the great expiry are used up, every OAuth access token is over."""
        if self.expire_after_calls is None:
            return
        self.expire_after_calls -= 1
        if self.expire_after_calls < 0:
            self.expire_after_calls = None
            self.expire()

    def expire(self) -> int:
        """End all access tokens of the OAuth app; refresh tokens stay good. Gives how many there were."""
        ended = [session for session in list(self._sessions.values()) if session.expires_ms is not None]
        for session in ended:
            session.expires_ms = min(session.expires_ms or 0, self.now_ms())
        return len(ended)

    def revoke(self, token: str) -> bool:
        """Forget an access, refresh or private token; gives whether it was known."""
        with self.store.writing() as connection:
            ended = connection.execute("DELETE FROM grants WHERE token = ?", (token,)).rowcount
        return self._sessions.pop(token, None) is not None or bool(ended)

    def rescope(self, add: Sequence[str], remove: Sequence[str], token: str | None = None) -> None:
        """Give and take scopes, of one access token or of all of them."""
        for known, session in list(self._sessions.items()):
            if token in {None, known}:
                session.scopes = (session.scopes | set(add)) - set(remove)

    def authorize(self, redirect_uri: str, scopes: Sequence[str]) -> str:
        """A code for an app that a person has let in."""
        code = f"na1-{secrets.token_hex(4)}-{secrets.token_hex(12)}"
        known = [scope for scope in scopes if scope in SCOPES] or ["oauth"]
        self._codes[code] = _Code(Grant(known, self.user_id), redirect_uri, time.monotonic())
        return code

    def grant(self, form: Mapping[str, str]) -> tuple[Grant, str, str]:
        """Behind a token request: what is granted, the access token, the refresh token. Raises: TokenError."""
        if not secrets.compare_digest(
            form.get("client_secret", "").encode(), self.client.client_secret.encode()
        ):
            raise TokenError("BAD_CLIENT_SECRET", "missing or invalid client secret")
        if form.get("grant_type") == "authorization_code":
            grant = self._redeem(form)
            refresh_token = self._remember(grant)
        elif form.get("grant_type") == "refresh_token":
            refresh_token = form.get("refresh_token", "")
            grant = self.remembered(refresh_token)
        else:
            raise TokenError("BAD_GRANT_TYPE", "missing or unknown grant type")
        return grant, self._access_token(grant), refresh_token

    def _access_token(self, grant: Grant) -> str:
        token = f"C{secrets.token_urlsafe(70)}"
        self._sessions[token] = Session(set(grant.scopes), 0, grant.user_id)
        return token

    def lasts(self, token: str, seconds: int) -> None:
        """Let an access token last so many seconds from now."""
        self._sessions[token].expires_ms = self.now_ms() + seconds * 1000

    def _redeem(self, form: Mapping[str, str]) -> Grant:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or time.monotonic() - code.granted_at > _CODE_SECONDS:
            raise TokenError("BAD_AUTH_CODE", "missing or unknown auth code")
        if form.get("redirect_uri") != code.redirect_uri:
            raise TokenError(
                "MISMATCH_REDIRECT_URI_AUTH_CODE", "the redirect URI of the auth code is another one"
            )
        return code.grant

    def _remember(self, grant: Grant) -> str:
        token = f"na1-{secrets.token_hex(4)}-{secrets.token_hex(4)}-{secrets.token_hex(12)}"
        with self.store.writing() as connection:
            connection.execute("INSERT INTO grants VALUES (?, ?)", (token, encode(grant).decode()))
        return token

    def remembered(self, token: str) -> Grant:
        """What stands behind a refresh token. Raises: TokenError."""
        row = self.store.row("SELECT body FROM grants WHERE token = ?", (token,))
        if row is None:
            raise TokenError("BAD_REFRESH_TOKEN", "missing or unknown refresh token")
        return msgspec.json.decode(row[0], type=Grant)

    def described(self, token: str) -> dict[str, object]:
        """What ``/oauth/v1/access-tokens/…`` tells beside the portal. Raises: HubSpotError."""
        session = self.session_of(token)
        if session.expires_ms is None:
            raise HubSpotError(400, "", "private app tokens have no OAuth metadata")
        return {"token": token, "scopes": sorted(session.scopes), "user_id": session.user_id, "token_type": "access",
                "expires_in": max(0, session.expires_ms - self.now_ms()) // 1000}  # fmt: skip


def is_web_address(uri: str) -> bool:
    """Whether a browser can be sent there."""
    return urlsplit(uri).scheme in {"http", "https"}
