"""The shape of a workspace's settings, stage defaults and bounds: one pydantic model, one JSON file in ``configs/`` a tenant.

Threshold and stage defaults: administrator guide (``000_c7eb0ff07ff5e34f.txt``), "Thresholds" and "Custom Stages".
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tenants.models import Tier

Percent = Annotated[int, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=0, le=3650)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HealthThresholds(_Shape):
    """Below each value a deal is in that band; from ``monitor`` up it is healthy."""

    critical: Percent = 40
    at_risk: Percent = 60
    monitor: Percent = 80

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.critical < self.at_risk < self.monitor:
            raise ValueError("critical, at_risk and monitor must rise, for example 40, 60, 80.")
        return self


class HygieneThresholds(_Shape):
    """Days until a deal counts as stale (warning, critical) and as past its close date."""

    days_stale_warning: Days = 7
    days_stale_critical: Days = 14
    days_past_close_warning: Days = 7

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.days_stale_warning >= self.days_stale_critical:
            raise ValueError(
                "days_stale_warning must be less than days_stale_critical, for example 7 and 14."
            )
        return self


class ForecastThresholds(_Shape):
    """Pipeline over quota that a team should hold, and the win rate it is compared with."""

    pipeline_coverage_target: Annotated[float, Field(gt=0, le=20)] = 3.0
    win_rate_benchmark: Share = 0.25


class Thresholds(_Shape):
    """Everything that turns a number into a judgement."""

    health: HealthThresholds = HealthThresholds()
    hygiene: HygieneThresholds = HygieneThresholds()
    forecast: ForecastThresholds = ForecastThresholds()


class Stage(_Shape):
    """One step of the sales process; ``benchmark_days`` is how long a healthy deal stays in it."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    order: Annotated[int, Field(ge=1, le=99)]
    probability: Share
    benchmark_days: Days
    is_closed: bool = False
    is_won: bool = False


DEFAULT_STAGES = (
    Stage(name="Qualification", order=1, probability=0.10, benchmark_days=7),
    Stage(name="Discovery", order=2, probability=0.20, benchmark_days=14),
    Stage(name="Demo/POC", order=3, probability=0.40, benchmark_days=21),
    Stage(name="Proposal", order=4, probability=0.60, benchmark_days=7),
    Stage(name="Negotiation", order=5, probability=0.80, benchmark_days=14),
    Stage(name="Closed Won", order=6, probability=1.00, benchmark_days=0, is_closed=True, is_won=True),
    Stage(name="Closed Lost", order=7, probability=0.00, benchmark_days=0, is_closed=True),
)


class Features(_Shape):
    """What is switched on."""

    api_access: bool = True


class AccessReview(_Shape):
    """How long reviewers have, in days from the start of a review."""

    days_to_decide: Annotated[int, Field(ge=1, le=90)] = 14


class TenantSettings(_Shape):
    """All settings of one workspace."""

    thresholds: Thresholds = Thresholds()
    stages: tuple[Stage, ...] = DEFAULT_STAGES
    features: Features = Features()
    access_review: AccessReview = AccessReview()
    alert_email_recipients: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _stages_are_distinct(self) -> Self:
        names = [stage.name.lower() for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError("stages must have different names.")
        return self


def default_settings(tier: Tier) -> TenantSettings:
    """The settings that a new workspace of that tier starts with: the same for all so far; tiers differ in schedules."""
    return TenantSettings()
