"""A consent that was asked for and not answered yet: what must be remembered of it, in the session of whoever asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import MutableMapping
from typing import Any
from uuid import UUID

import msgspec

from crm_sync.errors import CannotDecrypt, ConsentUnknown
from crm_sync.secrets import decrypt, encrypt

MINUTES = 10
_KEY = "crm_consent"
Session = MutableMapping[str, Any]


class Pending(msgspec.Struct, frozen=True):
    """One request for consent. It holds the credentials that were entered, because nothing is saved before the CRM agrees."""

    connection_id: UUID
    tenant_id: int
    workspace: str
    source: str
    user_id: UUID | None
    login_url: str
    client_id: str
    secret: str
    callback: str
    verifier: str
    state_hash: str
    expires_at: float  # seconds since the epoch


def fresh_state() -> str:
    """What the CRM hands back with its answer: only this session can have made it."""
    return secrets.token_urlsafe(32)


def fresh_verifier() -> str:
    """What proves, when the code is redeemed, that it was asked for here (RFC 7636)."""
    return secrets.token_urlsafe(64)


def challenge_of(verifier: str) -> str:
    """The verifier as the CRM may see it beforehand, method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def hash_of(state: str) -> str:
    """The state as it is remembered."""
    return hashlib.sha256(state.encode()).hexdigest()


def expiry() -> float:
    """When a request made now is too old."""
    return time.time() + MINUTES * 60


def remember(session: Session, pending: Pending) -> None:
    """Keep a request until its answer comes; a newer one takes its place. Encrypted, for sessions lie in the database as they are."""
    session[_KEY] = encrypt(msgspec.json.encode(pending).decode()).decode()


def take(session: Session, state: str, user_id: UUID | None) -> Pending:
    """The request that an answer belongs to; it is forgotten with this. Raises: ConsentUnknown, which leaves a foreign one as it is."""
    pending = _kept(session)
    is_ours = pending is not None and hmac.compare_digest(pending.state_hash, hash_of(state))
    if pending is None or not is_ours or pending.user_id != user_id:
        raise ConsentUnknown(minutes=MINUTES)
    del session[_KEY]
    if pending.expires_at < time.time():
        raise ConsentUnknown(minutes=MINUTES)
    return pending


def _kept(session: Session) -> Pending | None:
    try:
        return msgspec.json.decode(decrypt(session.get(_KEY, "").encode()), type=Pending)
    except CannotDecrypt:
        return None
