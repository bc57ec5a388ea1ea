"""What rules can watch. Every app registers its metrics in ``<app>/metrics.py``; this room never hears their tables' names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """How a metric's number is read, written and bounded."""

    RATIO = "ratio"
    """A share from 0 to 1, shown as a percentage."""
    PERCENT = "percent"
    """A share from 0 to 100."""
    COUNT = "count"
    """How many; never below 0."""
    MINUTES = "minutes"
    """A duration in minutes; never below 0."""
    SCORE = "score"
    """Points from 0 to 100."""


@dataclass(frozen=True)
class Metric:
    """One number per workspace that a rule can compare with a threshold.

    ``sentence`` is a noun phrase that fits before "is 12 %": "Share of open deals without recent activity".
    ``sql`` is one SELECT of ``(tenant_id bigint, value double precision)`` for ALL workspaces, at most one row each; it
    runs in the platform context, without parameters. A workspace without a row has nothing to measure: its rules rest.
    ``page`` is the address below ``/w/<tenant>/`` that shows the rows behind the number, such as ``deals/?stale=yes``,
    and ``page_permission`` what it takes to open it: others get no link.
    """

    code: str
    sentence: str
    unit: Unit
    sql: str
    page: str = ""
    page_permission: str = ""


_registry: dict[str, Metric] = {}


def register(metric: Metric) -> None:
    """Add a metric. Raises: ValueError, if another one has its code."""
    if _registry.setdefault(metric.code, metric) != metric:
        raise ValueError(f"Metric {metric.code} is registered twice.")


def find(code: str) -> Metric | None:
    """The metric of that code, or None where the app that had it is gone."""
    return _registry.get(code)


def all_metrics() -> dict[str, Metric]:
    """Every registered metric by code."""
    return dict(_registry)
