"""Hiding contact data from those who need not see it: ``98****5678``, ``u***@example.com``, and the same inside texts.

Where in doubt it hides too much: a long order number is masked like a telephone number.
"""

from __future__ import annotations

import re

HIDDEN = "****"
_SHOWN_FIRST, _SHOWN_LAST = 2, 4
# Showing six digits of a shorter number would leave too little to guess.
_SHORTEST_SHOWN = 9

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"“”]+@[^\s@<>()\[\],;:\"“”]+")
# Seven digits or more, whatever stands between them: spaces, dots, dashes, brackets.
_NUMBER = re.compile(r"\+?\d(?:[^\w\n]{0,3}\d){6,}")


def mask_mobile(number: str) -> str:
    """The first two and last four digits of a telephone number: 98****5678; of a short one the last two. Empty stays empty."""
    if not number.strip():
        return ""
    digits = re.sub(r"\D", "", number)
    if len(digits) < _SHORTEST_SHOWN:
        return HIDDEN + digits[-2:] if len(digits) > _SHOWN_LAST else HIDDEN
    return digits[:_SHOWN_FIRST] + HIDDEN + digits[-_SHOWN_LAST:]


def mask_email(address: str) -> str:
    """The first letter and the domain: u***@example.com. A text that is no address is hidden whole. Empty stays empty."""
    if not address.strip():
        return ""
    user, at, domain = address.strip().rpartition("@")
    if not (at and user and domain):
        return "***"
    return f"{user[0] if len(user) > 1 else ''}***@{domain}"


def redact(text: str) -> str:
    """``text`` with every e-mail address and every long number in it masked."""
    without_addresses = _EMAIL.sub(lambda found: mask_email(found.group()), text)
    return _NUMBER.sub(lambda found: mask_mobile(found.group()), without_addresses)
