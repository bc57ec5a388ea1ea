"""Choosing one of a workspace's members: from a list, or where they are too many for one, by e-mail address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet

from tenants.models import Member

MEMBERS_LISTED = 60
"""With more members than this a form asks for an e-mail address: a list of thousands helps nobody."""


_NOT_LISTED = "Nobody who could be chosen here. Choose somebody of the list."
_NO_ADDRESS = (
    "Nobody who could be chosen here has this address. Enter that of an active member of this workspace."
)


class MemberField(forms.CharField):
    """One of ``people``, by id or e-mail address, or nobody: gives a member or None. Reads ``people`` in the context of its use."""

    def __init__(self, *, people: QuerySet[Member], label: str, nobody: str, help_text: str = "") -> None:
        self._people = people
        listed = list(people[: MEMBERS_LISTED + 1])
        self._is_listed = len(listed) <= MEMBERS_LISTED
        super().__init__(
            required=False,
            max_length=254,
            label=label if self._is_listed else f"{label} (e-mail address)",
            help_text=help_text if self._is_listed else f"{help_text} Empty: {nobody.lower()}.".strip(),
            widget=people_widget(listed if self._is_listed else None, nobody=nobody),
        )

    def prepare_value(self, value: Any) -> Any:
        """What stands in the field: in one for addresses, that of the member whose id is given."""
        member = None if self._is_listed or not value else self._people.filter(member_is(str(value))).first()
        return member.email if member else value

    def clean(self, value: Any) -> Member | None:
        """Raises: ValidationError, where nobody who may be chosen has that id or address."""
        given = super().clean(value)
        if not given:
            return None
        found: Member | None = self._people.filter(member_is(given)).first()
        if found is None:
            raise forms.ValidationError(_NOT_LISTED if self._is_listed else _NO_ADDRESS)
        return found


def member_is(name: str) -> Q:
    """The condition on members of that id or e-mail address."""
    try:
        return Q(pk=UUID(name))
    except ValueError:
        # No address has a NUL, and PostgreSQL takes none.
        return Q(email__iexact=name.strip().replace("\x00", " "))


def people_widget(listed: Sequence[Member] | None, *, nobody: str) -> forms.Widget:
    """A choice of these members, or a field for an address where they are too many; ``nobody`` stands for none."""
    if listed is None:
        return forms.EmailInput()
    times = Counter(str(member) for member in listed)
    people = [(str(member.id), _label(member, is_alone=times[str(member)] == 1)) for member in listed]
    return forms.Select(choices=[("", nobody), *people])


def _label(member: Member, *, is_alone: bool) -> str:
    """The name; who chooses need not read colleagues' addresses, unless two have one name. Who left can only stay where they stand."""
    name = str(member) if is_alone else f"{member.name} ({member.email})"
    return name if member.is_active else f"{name}, deactivated"
