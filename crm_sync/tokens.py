"""Tokens that a person's consent gave: one copy for all processes that work for a connection, renewed by one of them at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from django.db.models import F, Q
from django.db.models.functions import Now

from crm_sync.connectors.base import ConfigurationProblem, PassingProblem
from crm_sync.errors import CannotDecrypt
from crm_sync.models import Connection
from crm_sync.secrets import decrypt, encrypt
from isolation import context

# Longer than a token request may take, so that a lease runs out only when its holder died.
LEASE = timedelta(seconds=30)
_LONGEST_WAIT_SECONDS = 40.0
_LOOK_EVERY_SECONDS = 0.05


class Grant(msgspec.Struct, frozen=True):
    """What a sign-in gave. ``issued_at`` is milliseconds as text; ``clock_ahead_seconds`` is by how much the CRM's clock was ahead then."""

    access_token: str
    instance_url: str
    refresh_token: str = ""
    scope: str = ""
    issued_at: str = ""
    clock_ahead_seconds: float = 0.0


@dataclass(frozen=True)
class Held:
    """The tokens as they are stored; ``version`` counts how often they were replaced."""

    version: int
    grant: Grant


Renew = Callable[[Grant], Grant]


class Shelf:
    """Where a connection's tokens lie. No transaction is open while a CRM is asked for new ones."""

    def __init__(self, connection: Connection) -> None:
        self._tenant_id = connection.tenant_id
        self._own = Q(tenant_id=connection.tenant_id, pk=connection.pk)

    def held(self) -> Held:
        """What is stored now. Raises: ConfigurationProblem, where nothing is, or it cannot be decrypted."""
        with context.tenant_wide(self._tenant_id):
            version, stored = Connection.objects.values_list("tokens_version", "tokens_encrypted").get(
                self._own
            )
        if not stored:
            sentence = (
                "Nobody has connected this CRM, or it was disconnected. Connect it under Settings, CRM."
            )
            raise ConfigurationProblem("sign_in_disconnected", sentence)
        return Held(version, opened(stored))

    def renewed(self, stale: int, renew: Renew) -> Held:
        """Newer tokens than version ``stale``: those of whoever renewed them, or of ``renew``, which no two call at once.

        Raises: what ``renew`` raises; PassingProblem, if another process takes too long over it.
        """
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while time.monotonic() < deadline:
            held = self.held()
            if held.version != stale:
                return held
            if self._take(stale):
                return self._renew(held, renew)
            time.sleep(_LOOK_EVERY_SECONDS)
        raise PassingProblem("sign_in_busy", "Another process was busy renewing this connection's sign-in.")

    def _renew(self, held: Held, renew: Renew) -> Held:
        try:
            grant = renew(held.grant)
        except BaseException:
            self._replace(held.version, tokens_busy_until=None)
            raise
        kept = msgspec.structs.replace(grant, refresh_token=grant.refresh_token or held.grant.refresh_token)
        self._replace(
            held.version,
            tokens_encrypted=sealed(kept),
            tokens_version=F("tokens_version") + 1,
            tokens_busy_until=None,
        )
        return self.held()

    def _take(self, stale: int) -> bool:
        is_free = Q(tokens_busy_until=None) | Q(tokens_busy_until__lt=Now())
        with context.tenant_wide(self._tenant_id):
            free = Connection.objects.filter(self._own, is_free, tokens_version=stale)
            return bool(free.update(tokens_busy_until=Now() + LEASE))

    def _replace(self, version: int, **values: object) -> None:
        """Only while nobody connected or disconnected meanwhile: what is stored then is not ours."""
        with context.tenant_wide(self._tenant_id):
            Connection.objects.filter(self._own, tokens_version=version).update(**values)


def sealed(grant: Grant) -> bytes:
    """Tokens as they may lie in the database."""
    return encrypt(msgspec.json.encode(grant).decode())


def opened(stored: bytes | memoryview) -> Grant:
    """Tokens as ``sealed`` made them. Raises: ConfigurationProblem, if no key fits."""
    try:
        return msgspec.json.decode(decrypt(stored), type=Grant)
    except CannotDecrypt as error:
        raise ConfigurationProblem(error.code, error.message) from error
