"""Identifiers that may show in addresses: they order by time and count nothing."""

from __future__ import annotations

import secrets
import time
from uuid import UUID


def uuid7() -> UUID:
    """A version-7 UUID (RFC 9562): 48 bits of Unix milliseconds, then randomness.

    Made here because PostgreSQL has ``uuidv7()`` only from 18 and Python only from 3.14.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return UUID(int=value)
