"""The forms of the roles pages. What may be, the services decide; these only read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from django.utils import timezone

from isolation import permissions
from isolation.actors import Actor
from rbac.custom_roles import LOWEST_CUSTOM_LEVEL, NAME_LENGTH, SENTENCE_LENGTH, RoleDraft
from rbac.grants import LONGEST_REASON, Term
from rbac.models import CustomRoleVersion, Sight
from rbac.modules import by_module
from rbac.standing import RoleFacts, shows_more

_REASON = "Say why, in a few words: the reason stays in the audit log."
_INSTANT = "%Y-%m-%dT%H:%M"


class LocalInstantField(forms.DateTimeField):
    """A date and time as a clock in ``zone`` shows it; one that this clock skips or shows twice is refused."""

    def __init__(self, *, zone: str, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_INSTANT)
        super().__init__(widget=widget, input_formats=[_INSTANT], **kwargs)
        self.zone = zone

    def to_python(self, value: Any) -> datetime | None:
        """The instant. Raises: ValidationError."""
        with timezone.override(ZoneInfo(self.zone)):
            return super().to_python(value)


class GrantForm(forms.Form):
    """A role for a member, from when to when, and why."""

    def __init__(self, data: QueryDict | None, *, zone: str, offered: Iterable[RoleFacts] = ()) -> None:
        super().__init__(data)
        # Nothing is chosen beforehand: the first of the list is the highest role.
        choices = [
            ("", "Choose a role"),
            *((role.code, f"{role.name} (level {role.level})") for role in offered),
        ]
        # Any code may arrive: which roles the reader may give is for the service to refuse, with its sentence.
        self.fields["role"] = forms.CharField(
            max_length=40,
            label="Role",
            widget=forms.Select(choices=choices),
            error_messages={"required": "Choose a role."},
        )
        shown = zone.replace("_", " ")
        self.fields["valid_from"] = LocalInstantField(
            zone=zone, label="Begins", required=False, help_text=f"Empty: at once. {shown}."
        )
        self.fields["valid_until"] = LocalInstantField(
            zone=zone, label="Ends", required=False, help_text=f"Empty: without an end. {shown}."
        )
        self.fields["reason"] = forms.CharField(
            max_length=LONGEST_REASON,
            help_text="Kept in the audit log.",
            error_messages={"required": _REASON},
        )

    @property
    def term(self) -> Term:
        """From when to when."""
        return Term(self.cleaned_data["valid_from"], self.cleaned_data["valid_until"])


class EndForm(forms.Form):
    """Why a grant ends."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        help_text="Kept in the audit log.",
        error_messages={"required": _REASON},
    )


class _RightsField(forms.MultipleChoiceField):
    """Codes of rights; which of them exist and may be given, the service says."""

    def valid_value(self, value: str) -> bool:
        return len(value) <= 80


class CustomRoleForm(forms.Form):
    """What a role of the workspace's own is; ``version`` is the one that the reader saw."""

    name = forms.CharField(max_length=NAME_LENGTH, error_messages={"required": "Give the role a name."})
    sentence = forms.CharField(
        max_length=SENTENCE_LENGTH, required=False, label="What it is for", help_text="One sentence."
    )
    level = forms.IntegerField(min_value=1, max_value=LOWEST_CUSTOM_LEVEL)
    sight = forms.ChoiceField(label="Deals shown", choices=Sight.choices)
    permissions = _RightsField(
        label="Rights",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "hub-rights"}),
        error_messages={"required": "Choose at least one right."},
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)

    def __init__(
        self, data: QueryDict | None, *, actor: Actor, current: CustomRoleVersion | None = None
    ) -> None:
        super().__init__(data, initial=_initial(actor, current))
        self.fields["level"].help_text = (
            f"A number above your own level, {actor.level}; {LOWEST_CUSTOM_LEVEL} is the lowest. Who holds a smaller number can "
            "give, change and take the role."
        )
        rights: Any = self.fields["permissions"]
        rights.choices = _rights_offered(actor)
        sight: Any = self.fields["sight"]
        sight.widget.choices = [
            (one.value, one.label) for one in Sight if not shows_more(one, Sight(actor.sight))
        ]

    @property
    def draft(self) -> RoleDraft:
        """What was entered."""
        given = self.cleaned_data
        return RoleDraft(
            name=given["name"], sentence=given["sentence"], level=given["level"], sight=Sight(given["sight"]),
            permissions=frozenset(given["permissions"]),
        )  # fmt: skip


def _initial(actor: Actor, current: CustomRoleVersion | None) -> dict[str, Any]:
    if current is None:
        return {"version": 0, "level": LOWEST_CUSTOM_LEVEL, "sight": Sight.OWN}
    names = ("name", "sentence", "level", "sight", "permissions", "version")
    return {name: getattr(current, name) for name in names}


def _rights_offered(actor: Actor) -> Sequence[tuple[str, list[tuple[str, str]]]]:
    """What the maker holds, by module: nothing else is offered."""
    known = permissions.all_permissions()
    return [
        (module, [(code, known[code].sentence) for code in codes])
        for module, codes in by_module(actor.permissions & known.keys())
    ]
