"""What people fill in to connect a CRM by consent."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms

from crm_sync.models import Connection


class ConsentForm(forms.Form):
    """Which connected app to sign in as, and where. The secret goes in and never comes out."""

    login_url = forms.CharField(
        label="Login address",
        max_length=300,
        help_text="Your My Domain, such as https://yourcompany.my.salesforce.com.",
    )
    client_id = forms.CharField(
        label="Client id", max_length=200, help_text="Consumer key of the connected app."
    )
    secret = forms.CharField(
        label="Client secret",
        required=False,
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Only if the connected app requires one. It is stored encrypted and cannot be shown again.",
    )

    def __init__(self, given: Mapping[str, str] | None, *, connection: Connection) -> None:
        known = {"login_url": connection.login_url, "client_id": connection.client_id}
        # A button "Reconnect" sends nothing of its own: what is stored counts then.
        data = None if given is None else {**known, **{name: text for name, text in given.items() if text}}
        super().__init__(data, initial=known)
