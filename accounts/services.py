"""Writes about people: accounts, sessions, access keys."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.errors import AccessKeyRefused, EmailTaken, KeyForOperator
from accounts.events import (
    AccessKeyIssued,
    AccessKeyRevoked,
    PasswordSet,
    SessionsEnded,
    SignedIn,
    SignInFailed,
    UserCreated,
)
from accounts.models import AccessKey, User
from audit.services import record_platform
from isolation import context
from isolation.actors import Actor, ActorKind

KEY_BYTES = 20  # 160 bits: a fast hash is enough for a secret that nobody chose


@transaction.atomic
def user_create(
    *, email: str, name: str, password: str | None, acting_user: Actor, is_operator: bool = False
) -> User:
    """A new person; without a password they sign in by key or reset it by mail. Raises: EmailTaken."""
    with context.accounts():
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, password, name=name, is_operator=is_operator)
        except IntegrityError as error:  # the unique e-mail: asking first would lose a race
            raise EmailTaken(email=email) from error
        event = UserCreated(target_id=str(user.id), target_label=user.email, is_operator=is_operator)
        record_platform(event, acting_user=acting_user)
    return user


@transaction.atomic
def password_set(*, user: User, password: str, acting_user: Actor) -> User:
    """Give ``user`` another password, which ends every session that the old one opened."""
    with context.accounts():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        user.set_password(password)
        user.save(update_fields=["password"])
        record_platform(PasswordSet(target_id=str(user.id), target_label=user.email), acting_user=acting_user)
    return user


@transaction.atomic
def sessions_end(*, user: User, acting_user: Actor) -> None:
    """End every session of ``user`` at once, on every device."""
    with context.accounts():
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        record_platform(
            SessionsEnded(target_id=str(user.id), target_label=user.email), acting_user=acting_user
        )


@transaction.atomic
def access_key_issue(*, user: User, label: str, acting_user: Actor) -> tuple[AccessKey, str]:
    """A new key for ``user`` and its secret, which nothing keeps: show it once. ``label`` makes the key recognisable.

    Raises: KeyForOperator.
    """
    if user.is_operator:
        raise KeyForOperator(email=user.email)
    prefix = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:24] or "key"
    secret = f"{prefix}_{base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode()}"
    with context.accounts():
        key = AccessKey.objects.create(
            user=user,
            hint=secret[: len(prefix) + 5] + "…",
            digest=_digest(secret),
            created_by=acting_user.label,
        )
        event = AccessKeyIssued(target_id=str(key.id), target_label=key.hint, email=user.email)
        record_platform(event, acting_user=acting_user)
    return key, secret


@transaction.atomic
def access_key_revoke(*, key: AccessKey, acting_user: Actor) -> AccessKey:
    """Make ``key`` useless at once and end the sessions that it opened. Revoking twice changes nothing."""
    with context.accounts():
        changed = AccessKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
        key = AccessKey.objects.select_related("user").get(pk=key.pk)
        if changed:
            event = AccessKeyRevoked(target_id=str(key.id), target_label=key.hint, email=key.user.email)
            record_platform(event, acting_user=acting_user)
            sessions_end(user=key.user, acting_user=acting_user)
    return key


@transaction.atomic
def access_key_use(*, secret: str) -> AccessKey:
    """The active key of ``secret`` with its user, marked as used now. Raises: AccessKeyRefused."""
    valid = AccessKey.objects.filter(revoked_at=None, user__is_active=True, user__is_operator=False)
    with context.accounts():
        found = valid.select_related("user").select_for_update(of=("self",), no_key=True)
        key = found.filter(digest=_digest(secret.strip())).first()
        if key is None:
            raise AccessKeyRefused
        AccessKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    return key


@transaction.atomic
def sign_in_record(*, user: User, method: str, ip_address: str) -> None:
    """Put a finished sign-in on record."""
    event = SignedIn(target_id=str(user.id), target_label=user.email, method=method, ip_address=ip_address)
    person = Actor(kind=ActorKind.PERSON, label=user.email, user_id=user.id)
    record_platform(event, acting_user=person)


@transaction.atomic
def sign_in_failure_record(*, claimed: str, method: str, reason: str, ip_address: str) -> None:
    """Put a refused sign-in on record; ``claimed`` is what was typed as the e-mail, '' for keys."""
    event = SignInFailed(target_label=claimed[:254], method=method, reason=reason, ip_address=ip_address)
    record_platform(event, acting_user=Actor.system("accounts.sign_in"))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
