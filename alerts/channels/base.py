"""What a channel is, and the registry of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from alerts.models import Audience, DeliveryKind, Severity


class ChannelError(Exception):
    """A try that did not work; its text is shown to the workspace's admins."""


class PassingError(ChannelError):
    """Try again later: the server is away, busy, or does not want the message now."""


class SilentError(PassingError):
    """The far side did not answer in time; others would wait for it in vain, too."""


class PermanentError(ChannelError):
    """Never try this recipient again: the address does not exist or refuses for good."""


@dataclass(frozen=True)
class Message:
    """What a channel carries. ``key`` is the idempotency key: the same for every try of the same message.

    ``limit`` and ``value`` are already in words; ``path`` starts with "/" and leads to the alert.
    """

    key: str
    tenant_id: int
    workspace: str
    kind: DeliveryKind
    severity: Severity
    title: str
    sentence: str
    value: str = ""
    limit: str = ""
    path: str = ""
    audience: Audience = Audience.EVERYONE


class ChannelKind(Protocol):
    """One channel.

    ``recipients_sql`` is one SELECT of distinct ``(tenant_id, recipient text)`` for ALL workspaces, run in the platform
    context. ``kinds`` are the messages that go this way. ``send`` returns once the far side has taken the message, and
    raises PassingError or PermanentError otherwise; it runs inside the context of the message's workspace only where
    ``is_local`` says that it writes to our own database.
    """

    code: ClassVar[str]
    label: ClassVar[str]
    kinds: ClassVar[frozenset[DeliveryKind]]
    recipients_sql: ClassVar[str]
    is_local: ClassVar[bool]

    def send(self, message: Message, recipient: str) -> None:
        """Hand ``message`` over to ``recipient``."""


_registry: dict[str, ChannelKind] = {}


def register(channel: ChannelKind) -> None:
    """Add a channel. Raises: ValueError, if its code is taken."""
    if channel.code in _registry:
        raise ValueError(f"Channel {channel.code} is registered twice.")
    _registry[channel.code] = channel


def find(code: str) -> ChannelKind | None:
    """The channel of that code, or None."""
    return _registry.get(code)


def all_channels() -> dict[str, ChannelKind]:
    """Every registered channel by code."""
    return dict(_registry)
