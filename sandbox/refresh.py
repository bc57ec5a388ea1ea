"""Refresh tokens: kept in the organisation's file, so that they outlive the server.

Tokens that followed one another by rotation are a family. Whoever uses one that was rotated out ends the whole family, for it may be stolen.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.errors import OAuthError
from sandbox.orgs import Org


@dataclass(frozen=True)
class RefreshToken:
    """A refresh token; a spent one has been rotated out."""

    token: str
    user_id: str
    scopes: tuple[str, ...]
    family: str
    is_spent: bool


class Refreshes:
    """The refresh tokens of all organisations."""

    def __init__(self) -> None:
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def alone(self, org: Org, token: str) -> Iterator[None]:
        """While one request uses a token, another of the same token is refused. Raises: OAuthError."""
        with self._lock:
            if token in self._busy:
                raise OAuthError("invalid_grant", "token request is already being processed")
            self._busy.add(token)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(token)

    def find(self, org: Org, token: str) -> RefreshToken | None:
        """A token, good or spent."""
        sql = "SELECT token, user_id, scope, family, is_spent FROM _refresh_token WHERE token = ?"
        row = org.database.reader.execute(sql, (token,)).fetchone()
        return (
            None if row is None else RefreshToken(row[0], row[1], tuple(row[2].split()), row[3], bool(row[4]))
        )

    def begin(self, org: Org, user_id: str, scopes: tuple[str, ...]) -> tuple[str, str]:
        """A new family and its first token."""
        family = secrets.token_hex(8)
        return family, self._add(org, RefreshToken("", user_id, scopes, family, is_spent=False))

    def rotate(self, org: Org, spent: RefreshToken) -> str:
        """The next token of a family; the one before it is spent."""
        with org.database.writing() as connection:
            connection.execute("UPDATE _refresh_token SET is_spent = 1 WHERE token = ?", (spent.token,))
        return self._add(org, spent)

    def _add(self, org: Org, like: RefreshToken) -> str:
        token = f"5Aep{secrets.token_urlsafe(48)}"
        with org.database.writing() as connection:
            values = (token, like.user_id, " ".join(like.scopes), like.family)
            connection.execute("INSERT INTO _refresh_token VALUES (?, ?, ?, ?, 0)", values)
        return token

    def forget(self, org: Org, family: str) -> None:
        """End a family."""
        with org.database.writing() as connection:
            connection.execute("DELETE FROM _refresh_token WHERE family = ?", (family,))
