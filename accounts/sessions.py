"""Sessions as Django keeps them in the database, reached in the context of accounts like everything that belongs to people."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db

from isolation import context


class SessionStore(db.SessionStore):
    """Each of its ways to the table opens the context for itself: sessions are read and saved before and after every other one."""

    def load(self) -> dict[str, Any]:
        with context.accounts():
            return super().load()

    def exists(self, session_key: str) -> bool:
        with context.accounts():
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        with context.accounts():
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with context.accounts():
            super().delete(session_key)

    @classmethod
    def clear_expired(cls) -> None:
        with context.accounts():
            super().clear_expired()
