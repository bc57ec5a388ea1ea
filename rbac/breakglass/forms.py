"""The form by which an operator enters a workspace. What may be, the service decides."""

from __future__ import annotations

from django import forms

from rbac.breakglass.services import LONGEST_REASON, LONGEST_TICKET, SHORTEST_REASON, Stay

STAYS = {Stay.QUARTER: "15 minutes", Stay.HOUR: "1 hour", Stay.SHIFT: "4 hours"}
_REASON = f"Say why, in at least {SHORTEST_REASON} characters: the customer's admins read it."


class EnterForm(forms.Form):
    """Why, and for how long."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The customer's admins get it by mail and see it on every page while you are inside.",
        error_messages={"required": _REASON},
    )
    ticket = forms.CharField(
        max_length=LONGEST_TICKET, required=False, help_text="Such as SUP-1234. May be empty."
    )
    stay = forms.TypedChoiceField(
        label="For", coerce=lambda minutes: Stay(int(minutes)),
        choices=[(int(stay), words) for stay, words in STAYS.items()], initial=int(Stay.QUARTER),
        error_messages={"invalid_choice": "Choose 15 minutes, 1 hour or 4 hours."},
    )  # fmt: skip
