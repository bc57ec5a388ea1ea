"""The form that shares a deal or account. What may be, the services decide; this only reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict

from rbac.forms_people import people_widget
from rbac.forms_roles import LocalInstantField
from rbac.grants import LONGEST_REASON
from rbac.models import Access
from tenants.models import Member

_DAYS = (("1", "Tomorrow, at this time"), ("7", "In a week"), ("30", "In 30 days"), ("90", "In 90 days"))
_REASON = "Say why, in a few words: the reason stays in the audit log."


class ShareForm(forms.Form):
    """With whom, how far, until when and why. ``listed`` are the members to choose from; None: too many, ask for an address."""

    def __init__(
        self, data: QueryDict | None = None, *, zone: str, listed: Sequence[Member] | None = None
    ) -> None:
        super().__init__(data)
        self._zone = zone
        # Any id may arrive: a person of another workspace is for the service to refuse, and the attempt is on record.
        self.fields["member"] = forms.CharField(
            max_length=254,
            label="With" if listed is not None else "With (e-mail address)",
            widget=people_widget(listed, nobody="Choose…"),
            error_messages={"required": "Choose somebody to share with."},
        )
        self.fields["with_team"] = forms.BooleanField(required=False, label="And with everyone below them")
        self.fields["access"] = forms.ChoiceField(label="They may", choices=Access.choices)
        self.fields["days"] = forms.ChoiceField(
            label="Ends",
            required=False,
            choices=[("", "When somebody ends it"), *_DAYS, ("at", "At the moment below")],
        )
        self.fields["until"] = LocalInstantField(
            zone=zone,
            label="Moment of the end",
            required=False,
            help_text=f"{zone.replace('_', ' ')}. Counts instead of the choice above.",
        )
        self.fields["reason"] = forms.CharField(
            max_length=LONGEST_REASON,
            help_text="Kept in the audit log.",
            error_messages={"required": _REASON},
        )

    def clean(self) -> dict[str, object]:
        """Refuse an end that was promised and not given."""
        given = super().clean() or {}
        if given.get("days") == "at" and not given.get("until") and "until" not in self.errors:
            self.add_error("until", "Enter the moment of the end, or choose another one above.")
        return given

    @property
    def access(self) -> Access:
        """How far the share goes."""
        return Access(self.cleaned_data["access"])

    def end(self, now: datetime) -> datetime | None:
        """When the share ends (None: when somebody ends it), seen from ``now``: days keep the clock's time across its changes."""
        until: datetime | None = self.cleaned_data["until"]
        days = self.cleaned_data["days"]
        if until is not None or not days or days == "at":
            return until
        return now.astimezone(ZoneInfo(self._zone)) + timedelta(days=int(days))
