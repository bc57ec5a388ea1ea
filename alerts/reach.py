"""Which far sides do not answer: after one has kept a sender waiting in vain, all leave it alone for a while.

Then one sender at a time looks again, so a silent server holds one process now and then instead of all of them. What is known
stands in the cache: to lose it costs a few waits.
"""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache

PAUSE = timedelta(minutes=1)
_REMEMBERED = timedelta(hours=1)


def may_try(channel: str) -> bool:
    """Whether a message may be tried by that channel now; of those who ask while it is silent, one in each pause may."""
    if cache.get(_silent(channel)) is None:
        return True
    return bool(cache.add(_turn(channel), 1, PAUSE.total_seconds()))


def kept_silent(channel: str) -> None:
    """A sender waited in vain."""
    cache.set(_silent(channel), 1, _REMEMBERED.total_seconds())
    cache.set(_turn(channel), 1, PAUSE.total_seconds())


def answered(channel: str) -> None:
    """The far side said something, be it a refusal."""
    cache.delete_many([_silent(channel), _turn(channel)])


def _silent(channel: str) -> str:
    return f"alerts.silent.{channel}"


def _turn(channel: str) -> str:
    return f"alerts.silent.{channel}.turn"
