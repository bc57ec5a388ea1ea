"""What people fill in here."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from crm_sync.models import Connection, SyncSchedule
from crm_sync.schedules import DAY, Bounds, every

_STEPS = (5, 10, 15, 30, 60, 120, 240, 360, 720, DAY)


class ConnectionForm(forms.Form):
    """Where the CRM is and how to sign in. The secret goes in and never comes out."""

    login_url = forms.CharField(
        label="Login address",
        max_length=300,
        help_text="Your My Domain, such as https://yourcompany.my.salesforce.com.",
    )
    client_id = forms.CharField(
        label="Client id",
        max_length=200,
        help_text="Consumer key of the connected app whose client-credentials flow is on.",
    )
    secret = forms.CharField(
        label="Client secret",
        required=False,
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, data: QueryDict | None = None, *, connection: Connection) -> None:
        super().__init__(data, initial={"login_url": connection.login_url, "client_id": connection.client_id})
        kept = (
            "A secret is stored and cannot be shown. Leave this empty to keep it; "
            "a new host or client id needs it again."
            if connection.secret_encrypted
            else ""
        )
        self.fields["secret"].help_text = kept or "It is stored encrypted and cannot be shown again."


class ScheduleForm(forms.Form):
    """How often to sync, as far as the tier leaves a choice."""

    every_minutes = forms.TypedChoiceField(label="Sync", coerce=int)
    is_paused = forms.BooleanField(label="Pause the schedule", required=False)

    def __init__(self, data: QueryDict | None = None, *, schedule: SyncSchedule, bounds: Bounds) -> None:
        initial = {"every_minutes": schedule.every_minutes, "is_paused": schedule.is_paused}
        super().__init__(data, initial=initial)
        steps = sorted({step for step in _STEPS if bounds.allow(step)} | {schedule.every_minutes})
        field = self.fields["every_minutes"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(step, every(step).capitalize()) for step in steps]
        field.help_text = f"Your tier allows {bounds.sentence}."
