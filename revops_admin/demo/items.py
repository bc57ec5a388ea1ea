"""Messages for the demo's priority queue, the same for the same workspace."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from operations.models import ItemKind
from operations.services import NewItem

_SUBJECTS = {
    ItemKind.COMPLAINT: (
        "Invoice is wrong for the third time",
        "No answer since Monday",
        "Onboarding call was missed",
    ),
    ItemKind.REFUND: (
        "Please refund the unused seats",
        "Charged twice in March",
        "Refund for the cancelled add-on",
    ),
    ItemKind.BOOKING: (
        "Move the training to Thursday",
        "Book a review with our CFO",
        "Reschedule the kick-off",
    ),
    ItemKind.QUESTION: ("Can we export last quarter?", "Which tier has SSO?", "How is coverage worked out?"),
}
_PEOPLE = ("Nadia Osei", "Tom Becker", "Lucía Moreno", "Jonas Weber", "Priya Nair", "Sam Carter", "Aiko Mori")
_WEIGHTS = (4, 3, 2, 5)
ITEMS = 48


def items_of(seed: int) -> Iterator[NewItem]:
    """``ITEMS`` messages of the last ten days; a few people write more than once."""
    chance = random.Random(seed)  # noqa: S311  # demo data, not a secret
    now = timezone.now()
    for number in range(ITEMS):
        kind = chance.choices(list(_SUBJECTS), weights=_WEIGHTS)[0]
        name = chance.choice(_PEOPLE)
        digits = f"98{abs(hash_of(name)) % 10**8:08d}"
        mailbox = name.lower().replace(" ", ".").replace("í", "i")
        yield NewItem(
            kind=kind,
            subject=chance.choice(_SUBJECTS[kind]),
            intent_confidence=round(chance.betavariate(5, 2), 2),
            sentiment_urgency=round(chance.betavariate(2, 3 if kind is ItemKind.QUESTION else 1.5), 2),
            message_snippet=f"Hello, this is {name}. Call me at {digits} or write to {mailbox}@customer.example.",
            contact_name=name,
            contact_mobile=digits,
            contact_email=f"{mailbox}@customer.example",
            created_at=now - timedelta(minutes=chance.randint(5, 14_400), seconds=number),
        )


def hash_of(name: str) -> int:
    """A number that belongs to a name in every process."""
    return int.from_bytes(name.encode()[:6])
