"""Who hears of refusals: the doors tell, rooms that keep a record of denied attempts listen.

A door is where a refusal becomes an answer (a page, a form, the API, a command). It tells once, after the refused work was
rolled back, so that what a listener writes stays.
"""

from __future__ import annotations

from collections.abc import Callable

from isolation.errors import DomainError

Listener = Callable[[DomainError], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call ``listener(refusal)`` for every refusal that a door answers."""
    _listeners.append(listener)


def tell(refusal: DomainError) -> None:
    """Called by a door, outside the work that was refused."""
    for listener in _listeners:
        listener(refusal)
