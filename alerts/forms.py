"""What people fill in here."""

from __future__ import annotations

from django import forms
from django.http import QueryDict

from alerts.models import Rule, Severity
from alerts.registry import Unit
from alerts.services import LONGEST_COOLDOWN_MINUTES, SHORTEST_COOLDOWN_MINUTES, RuleValues

_UNIT_WORDS = {
    Unit.RATIO: "percent",
    Unit.PERCENT: "percent",
    Unit.MINUTES: "minutes",
    Unit.COUNT: "a number",
    Unit.SCORE: "points",
}


class RuleForm(forms.Form):
    """A rule's values. Ratios are typed as percentages; the bounds are the service's."""

    threshold = forms.FloatField(label="Threshold")
    severity = forms.ChoiceField(label="Severity", choices=Severity.choices)
    cooldown_minutes = forms.IntegerField(
        label="Cooldown in minutes",
        help_text=f"How long to wait before telling again while it still fires: {SHORTEST_COOLDOWN_MINUTES} minutes to a week "
        f"({LONGEST_COOLDOWN_MINUTES:,}).",
    )
    is_enabled = forms.BooleanField(label="Watch this", required=False)

    def __init__(self, data: QueryDict | None = None, *, rule: Rule) -> None:
        self.rule = rule
        self.scale = 100 if rule.declared_metric.unit is Unit.RATIO else 1
        initial = {
            "threshold": f"{round(rule.threshold * self.scale, 6):g}",
            "severity": rule.severity,
            "cooldown_minutes": rule.cooldown_minutes,
            "is_enabled": rule.is_enabled,
        }
        super().__init__(data, initial=initial)
        self.fields[
            "threshold"
        ].label = (
            f"Fires when it {rule.get_comparison_display()}, in {_UNIT_WORDS[rule.declared_metric.unit]}"
        )

    @property
    def values(self) -> RuleValues:
        """What was typed, in the rule's own unit; only after ``is_valid``."""
        given = self.cleaned_data
        return RuleValues(
            threshold=given["threshold"] / self.scale,
            severity=given["severity"],
            cooldown_minutes=given["cooldown_minutes"],
            comparison=self.rule.comparison,
        )
