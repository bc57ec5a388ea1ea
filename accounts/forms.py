from __future__ import annotations

from django import forms


class AccessKeyForm(forms.Form):
    """The one field of a partner's sign-in."""

    access_key = forms.CharField(
        label="Access key",
        max_length=120,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "autofocus": True, "spellcheck": "false"}),
        error_messages={"required": "Paste the access key that you were given."},
    )
