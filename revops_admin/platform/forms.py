"""The forms of the operators' pages."""

from __future__ import annotations

from zoneinfo import available_timezones

from django import forms

from isolation.errors import InvalidInput
from tenants.models import Crm, TenantKind, Tier
from tenants.provisioning import Request, request_checked


class ProvisionForm(forms.Form):
    """A new workspace. ``request`` is what provisioning makes of it."""

    customer = forms.CharField(
        max_length=120,
        label="Name",
        help_text="The customer's or partner's name, such as Acme Corp.",
        error_messages={"required": "Enter the customer's name, such as Acme Corp."},
    )
    kind = forms.ChoiceField(choices=TenantKind.choices, initial=TenantKind.CUSTOMER, label="For a")
    tier = forms.ChoiceField(choices=Tier.choices, initial=Tier.GROWTH)
    crm = forms.ChoiceField(choices=Crm.choices, label="CRM")
    timezone = forms.CharField(
        initial="UTC",
        label="Time zone",
        help_text="An IANA name such as America/Los_Angeles.",
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off"}),
    )
    request: Request

    def clean(self) -> None:
        """Let provisioning judge the whole, so that page and command refuse the same."""
        super().clean()
        if self.errors:
            return
        given = self.cleaned_data
        try:
            self.request = request_checked(
                customer=given["customer"], tier=given["tier"], crm=given["crm"],
                timezone=given["timezone"].strip(), kind=TenantKind(given["kind"]),
            )  # fmt: skip
        except InvalidInput as refusal:
            self.add_error(refusal.field, refusal.message)


def zones() -> list[str]:
    """What the time-zone field suggests."""
    return sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
