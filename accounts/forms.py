from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django import forms


class AccessKeyForm(forms.Form):
    """The one field of a partner's sign-in."""

    access_key = forms.CharField(
        label="Access key",
        max_length=120,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "autofocus": True, "spellcheck": "false"}),
        error_messages={"required": "Paste the access key that you were given."},
    )


class SignInForm(LoginForm):  # type: ignore[misc]  # allauth ships no types
    """allauth's form in our words; the page has its own link for forgotten passwords."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail"
        self.fields["password"].help_text = ""
        self.fields["remember"].label = "Stay signed in"
