"""The forms of the settings page: each is one part of the settings, judged by the same schema as every other door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import BaseModel
from pydantic import ValidationError as SchemaError

from tenants.settings_schema import HealthThresholds, HygieneThresholds, TenantSettings

MOST_RECIPIENTS = 50


class SectionForm(forms.Form):
    """One section. ``changed_in`` gives the whole settings with this section as it was typed."""

    code: ClassVar[str]
    title: ClassVar[str]
    lead: ClassVar[str] = ""

    @classmethod
    def initial_of(cls, current: TenantSettings) -> dict[str, Any]:
        """What the form shows before anything is typed."""
        raise NotImplementedError(cls.__name__)

    def changed_in(self, current: TenantSettings) -> dict[str, Any]:
        """The settings to save."""
        raise NotImplementedError(type(self).__name__)


class _ThresholdForm(SectionForm):
    shape: ClassVar[type[BaseModel]]

    @classmethod
    def initial_of(cls, current: TenantSettings) -> dict[str, Any]:
        section: BaseModel = getattr(current.thresholds, cls.code)
        return section.model_dump()

    def clean(self) -> dict[str, Any]:
        """Let the schema judge the section, so that page and file obey the same rules."""
        given = super().clean() or {}
        if self.errors:
            return given
        try:
            self.shape.model_validate(given)
        except SchemaError as error:
            for one in error.errors():
                name = str(one["loc"][0]) if one["loc"] else None
                self.add_error(name, self._sentence(name, one["msg"]))
        return given

    def changed_in(self, current: TenantSettings) -> dict[str, Any]:
        data = current.model_dump()
        data["thresholds"][self.code] = dict(self.cleaned_data)
        return data

    def _sentence(self, name: str | None, message: str) -> str:
        if name is None:  # about several fields, which the schema names by its own names
            words = message.removeprefix("Value error, ")
            for field, control in self.fields.items():
                words = re.sub(rf"\b{field}\b", f"“{control.label}”", words)
            return words
        rules = self.shape.model_fields[name].metadata
        bounds = {key: getattr(rule, key) for rule in rules for key in ("ge", "le") if hasattr(rule, key)}
        return f"Give a whole number from {bounds['ge']} to {bounds['le']}." if bounds else message


def _number(label: str, help_text: str) -> forms.IntegerField:
    problem = "Give a whole number."
    return forms.IntegerField(
        label=label, help_text=help_text, error_messages={"required": problem, "invalid": problem}
    )


class HealthForm(_ThresholdForm):
    """Where the bands of the health score begin."""

    code = "health"
    title = "Health score"
    lead = "A deal whose score is below one of these is in that band; from “Monitor” up it is healthy."
    shape = HealthThresholds

    critical = _number("Critical below", "0 to 100; the lowest of the three.")
    at_risk = _number("At risk below", "Above “Critical”.")
    monitor = _number("Monitor below", "Above “At risk”.")


class HygieneForm(_ThresholdForm):
    """When a deal is stale or overdue."""

    code = "hygiene"
    title = "Hygiene"
    lead = "How many days without activity, or past the close date, make a deal stand out."
    shape = HygieneThresholds

    days_stale_warning = _number("Stale: warning after (days)", "Days without activity.")
    days_stale_critical = _number("Stale: critical after (days)", "More than the days to the warning.")
    days_past_close_warning = _number("Past close date: warning after (days)", "Days since the close date.")


class RecipientsForm(SectionForm):
    """Who gets the mails of alerts."""

    code = "recipients"
    title = "Alert e-mails"
    lead = "Without an address here, alerts go to the workspace's admins."

    alert_email_recipients = forms.CharField(
        label="E-mail addresses",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One on each line.",
    )

    @classmethod
    def initial_of(cls, current: TenantSettings) -> dict[str, Any]:
        return {"alert_email_recipients": "\n".join(current.alert_email_recipients)}

    def clean_alert_email_recipients(self) -> list[str]:
        """The addresses, each once."""
        given = dict.fromkeys(self.cleaned_data["alert_email_recipients"].replace(",", "\n").lower().split())
        if len(given) > MOST_RECIPIENTS:
            raise ValidationError(
                f"Give at most {MOST_RECIPIENTS} addresses; a mailing list may stand for many people."
            )
        for address in given:
            try:
                validate_email(address)
            except ValidationError as error:
                problem = f"“{address}” is not an e-mail address. Write it like name@example.com."
                raise ValidationError(problem) from error
        return list(given)

    def changed_in(self, current: TenantSettings) -> dict[str, Any]:
        return current.model_dump() | {"alert_email_recipients": self.cleaned_data["alert_email_recipients"]}


class FeaturesForm(SectionForm):
    """What is switched on."""

    code = "features"
    title = "API"

    api_access = forms.BooleanField(
        label="Members may use the API",
        required=False,
        help_text="Programs then read what the member behind them may read.",
    )

    @classmethod
    def initial_of(cls, current: TenantSettings) -> dict[str, Any]:
        return {"api_access": current.features.api_access}

    def changed_in(self, current: TenantSettings) -> dict[str, Any]:
        data = current.model_dump()
        data["features"]["api_access"] = self.cleaned_data["api_access"]
        return data


class AccessReviewForm(SectionForm):
    """How long an access review may take."""

    code = "access_review"
    title = "Access review"
    lead = "Each quarter everybody's access is put before somebody else. What is undecided after this many days is overdue."

    days_to_decide = forms.IntegerField(
        label="Days to decide",
        min_value=1,
        max_value=90,
        help_text="1 to 90. Holds for reviews that begin afterwards.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "Give a whole number from 1 to 90."
        ),
    )

    @classmethod
    def initial_of(cls, current: TenantSettings) -> dict[str, Any]:
        return current.access_review.model_dump()

    def changed_in(self, current: TenantSettings) -> dict[str, Any]:
        return current.model_dump() | {"access_review": dict(self.cleaned_data)}


class TimezoneForm(forms.Form):
    """The zone in which pages show times."""

    code: ClassVar[str] = "timezone"
    title: ClassVar[str] = "Time zone"
    lead: ClassVar[str] = "Pages show times in this zone, and days begin and end in it."

    timezone = forms.ChoiceField(
        label="Zone", error_messages={"invalid_choice": "“%(value)s” is not a time zone."}
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        zones = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
        self.fields["timezone"].choices = [(zone, zone.replace("_", " ")) for zone in zones]  # type: ignore[attr-defined]  # a ChoiceField


SECTIONS: dict[str, type[SectionForm]] = {
    form.code: form for form in (HealthForm, HygieneForm, RecipientsForm, AccessReviewForm, FeaturesForm)
}
