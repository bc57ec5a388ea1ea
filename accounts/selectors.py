"""Looking people up, from whatever context the caller is in."""

from __future__ import annotations

from uuid import UUID

from accounts.models import AccessKey, User
from isolation import context


def user_by_email(email: str) -> User | None:
    """The account of that address, whatever its capitals."""
    with context.accounts():
        # Kept in small letters; comparing as it is kept reaches the index, which nothing but leak-proof = does here.
        return User.objects.filter(email=email.strip().lower()).first()


def user_by_id(user_id: UUID) -> User:
    """That account. Raises: User.DoesNotExist."""
    with context.accounts():
        return User.objects.get(pk=user_id)


def operators() -> list[User]:
    """The vendor's staff who can sign in, by address."""
    with context.accounts():
        return list(User.objects.filter(is_operator=True, is_active=True).order_by("email"))


def has_valid_key(user_id: UUID) -> bool:
    """Whether that person can sign in with an access key."""
    with context.accounts():
        return AccessKey.objects.filter(user_id=user_id, revoked_at=None).exists()
