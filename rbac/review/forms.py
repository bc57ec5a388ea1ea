"""The forms of the access review. What may be, the services decide; these only read."""

from __future__ import annotations

from uuid import UUID

from django import forms

from rbac.models_review import ReviewDecision
from rbac.review.services import LONGEST_REASON

_REASON = "Say why, in a few words: the reason is the evidence of the review."
# Offered while typing, so that what means the same is written the same.
REASONS = (
    "Still needed for the present work",
    "Agreed with the manager",
    "Covers for somebody until the end of the grant",
    "No longer needed",
    "Has changed teams",
    "Has left",
    "Not seen for a long time",
)


def _reason_field() -> forms.CharField:
    return forms.CharField(max_length=LONGEST_REASON, error_messages={"required": _REASON})


class DecideForm(forms.Form):
    """Keep or revoke one thing, and why."""

    reason = _reason_field()
    decision = forms.ChoiceField(
        choices=[(one.value, one.label) for one in (ReviewDecision.KEEP, ReviewDecision.REVOKE)],
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose: keep or revoke."),
    )


class _Ids(forms.MultipleChoiceField):
    """Ids of items; which of them exist, the service sees."""

    def valid_value(self, value: str) -> bool:
        try:
            UUID(value)
        except ValueError:
            return False
        return True


class KeepForm(forms.Form):
    """Keep everything that is ticked, and why."""

    reason = _reason_field()
    items = _Ids(
        error_messages={
            "required": "Tick the lines to keep first.",
            "invalid_choice": "“%(value)s” is not a line of this review.",
        }
    )

    @property
    def item_ids(self) -> list[UUID]:
        """The lines that were ticked."""
        return [UUID(value) for value in self.cleaned_data["items"]]
