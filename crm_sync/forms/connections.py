"""What people fill in here."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from crm_sync.models import Connection, SyncSchedule
from crm_sync.schedules import DAY, Bounds, every
from crm_sync.services.connections import HUBSPOT_ADDRESS
from crm_sync.services.schedules import MOST_RESERVE_PERCENT

SCOPES = (
    "crm.objects.deals.read", "crm.objects.companies.read", "crm.objects.contacts.read", "crm.objects.owners.read",
    "crm.schemas.deals.read", "crm.schemas.companies.read", "crm.schemas.contacts.read", "sales-email-read",
)  # fmt: skip
_STEPS = (5, 10, 15, 30, 60, 120, 240, 360, 720, DAY)


def _require(field: forms.Field, connection: Connection, problem: str) -> None:
    """A secret must be given as long as none is stored."""
    field.required = not connection.secret_encrypted
    field.error_messages["required"] = problem


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
        _require(self.fields["secret"], connection, "Enter the client secret of the connected app.")
        self.fields["secret"].help_text = kept or "It is stored encrypted and cannot be shown again."


class TokenForm(forms.Form):
    """A private app's token and webhook secret. Both go in and never come out."""

    token = forms.CharField(
        label="Access token",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    webhook_secret = forms.CharField(
        label="Webhook secret",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    login_url = forms.CharField(
        label="API address",
        max_length=300,
        help_text=f"{HUBSPOT_ADDRESS}, unless your administrator told you another one.",
    )

    def __init__(self, data: QueryDict | None = None, *, connection: Connection) -> None:
        super().__init__(data, initial={"login_url": connection.login_url or HUBSPOT_ADDRESS})
        _require(self.fields["token"], connection, "Enter the access token of the private app.")
        self.fields["token"].help_text = (
            "A token is stored and cannot be shown. Leave this empty to keep it; another host needs it again. "
            if connection.secret_encrypted
            else "It begins with pat- and is stored encrypted. "
        ) + f"The private app needs the scopes {', '.join(SCOPES)}."
        self.fields["webhook_secret"].help_text = (
            "A secret is stored and cannot be shown. Leave this empty to keep it."
            if connection.webhook_secret_encrypted
            else "The app's client secret, with which HubSpot signs its notices. Without it they are refused."
        )


class RemovalForm(forms.Form):
    """The typed name of what is to be removed."""

    confirmation = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, data: QueryDict | None = None, *, name: str) -> None:
        super().__init__(data)
        self.fields["confirmation"].label = f"Type {name} to remove this connection"


class ScheduleForm(forms.Form):
    """How often to sync, and what is left to others."""

    every_minutes = forms.TypedChoiceField(label="Run a sync", coerce=int)
    is_paused = forms.BooleanField(
        label="Paused",
        required=False,
        help_text="Nothing is read by itself; syncs by hand still work.",
    )
    reserve_percent = forms.IntegerField(
        label="Kept for other programs",
        min_value=0,
        max_value=MOST_RESERVE_PERCENT,
        help_text="Percent of the CRM's daily calls that a sync never touches. It waits for the next day instead.",
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        connection: Connection,
        schedule: SyncSchedule,
        bounds: Bounds,
    ) -> None:
        initial = {
            "every_minutes": schedule.every_minutes,
            "is_paused": schedule.is_paused,
            "reserve_percent": connection.reserve_percent,
        }
        super().__init__(data, initial=initial)
        steps = sorted(
            {step for step in _STEPS if bounds.allow(step)}
            | ({schedule.every_minutes} if bounds.allow(schedule.every_minutes) else set())
        )
        field = self.fields["every_minutes"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(step, every(step).capitalize()) for step in steps]
        field.help_text = f"Your tier allows {bounds.sentence}."
