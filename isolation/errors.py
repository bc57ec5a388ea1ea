"""Refusals: what went wrong, said once, for pages, API and commands alike."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal that a person can act on.

    Subclasses set ``code`` (stable, for programs), ``status`` (HTTP) and ``sentence``, a format string over the
    keyword arguments that says what is wrong and what would be right. ``field`` names the input at fault, if one is.
    """

    code: ClassVar[str] = "domain_error"
    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    sentence: ClassVar[str] = "This cannot be done."
    field: str | None = None

    def __init__(self, *, field: str | None = None, **facts: Any) -> None:
        self.facts = facts
        if field is not None:
            self.field = field
        super().__init__(self.sentence.format(**facts))

    @property
    def message(self) -> str:
        """The finished sentence."""
        return str(self.args[0])


class InvalidInput(DomainError):
    """One input is not usable; ``field`` names it and ``problem`` is the whole sentence."""

    code = "invalid_input"
    status = HTTPStatus.BAD_REQUEST
    sentence = "{problem}"


class NotFound(DomainError):
    """The thing does not exist, or the actor may not know that it does."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no {what} here. Check the address, or ask whoever sent it to you."


class Forbidden(DomainError):
    """The actor is known and the thing is visible, but the right is missing."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN
    sentence = "{actor} may not do this: it needs the right “{permission}” ({meaning}). Ask a workspace admin for it."


class ContextMissing(RuntimeError):
    """A tenant table was touched outside every context: a bug in the program, never a user's mistake."""
