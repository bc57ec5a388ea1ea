"""Numbers as people read them, and a registry that nothing enters twice."""

from __future__ import annotations

import pytest

from alerts import registry
from alerts.channels import base
from alerts.registry import Metric, Unit
from alerts.wording import number


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.1, Unit.RATIO, "10 %"),
        (0.1234, Unit.RATIO, "12.3 %"),
        (0.0, Unit.RATIO, "0 %"),
        (12.34, Unit.PERCENT, "12.3 %"),
        (1, Unit.MINUTES, "1 minute"),
        (60, Unit.MINUTES, "60 minutes"),
        (150, Unit.MINUTES, "2.5 hours"),
        (4320, Unit.MINUTES, "3 days"),
        (1234567, Unit.COUNT, "1,234,567"),
        (39.96, Unit.SCORE, "40"),
    ],
)
def test_a_number_is_told_with_its_unit(value: float, unit: Unit, words: str) -> None:
    assert number(value, unit) == words


def test_a_code_belongs_to_one_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Metric("tests.once", "Once", Unit.COUNT, "SELECT 1")
    monkeypatch.setitem(registry._registry, first.code, first)
    registry.register(first)
    with pytest.raises(ValueError, match="registered twice"):
        registry.register(Metric("tests.once", "Twice", Unit.COUNT, "SELECT 2"))


def test_a_code_belongs_to_one_channel() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        base.register(base.all_channels()["email"])


def test_every_metric_fits_into_a_sentence() -> None:
    for metric in registry.all_metrics().values():
        assert not metric.sentence.endswith(".")
        assert metric.sentence[0].isupper()
