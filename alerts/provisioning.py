"""The rules and channels that a new workspace starts with: the administrator guide's "Alert Types"."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.channels.base import all_channels
from alerts.models import Channel, Comparison, Rule, Severity
from isolation.actors import Actor
from tenants.models import Tenant
from tenants.provisioning import Request, Resource, Step, register_step


@dataclass(frozen=True)
class StandardRule:
    """A rule that every workspace gets; ``metric`` is registered by the room that can measure it."""

    name: str
    metric: str
    threshold: float
    severity: Severity = Severity.WARNING
    comparison: Comparison = Comparison.ABOVE
    cooldown_minutes: int = 60

    @property
    def detail(self) -> str:
        """What provisioning says of it."""
        return f"{self.severity} when {self.metric} is {self.comparison} {self.threshold:g}, at most every {self.cooldown_minutes} minutes"

    def for_tenant(self, tenant: Tenant) -> Rule:
        """An unsaved rule of that workspace."""
        return Rule(
            tenant=tenant,
            name=self.name,
            metric=self.metric,
            comparison=self.comparison,
            threshold=self.threshold,
            severity=self.severity,
            cooldown_minutes=self.cooldown_minutes,
        )


STANDARD_RULES = (
    StandardRule("stale_pipeline", "pipeline.stale_share", 0.10),
    StandardRule("sync_delay", "crm_sync.sync_delay_minutes", 60),
    # A week's cooldown: one mail a week before an access review is due and one when it is; afterwards one a day.
    StandardRule(
        "access_review_due", "rbac.reviews_due_soon", 0, Severity.INFO, cooldown_minutes=7 * 24 * 60
    ),
    StandardRule("access_review_overdue", "rbac.reviews_overdue", 0, cooldown_minutes=24 * 60),
)


def _plan(request: Request) -> list[Resource]:
    rules = [Resource("alert rule", rule.name, rule.detail) for rule in STANDARD_RULES]
    return [
        *rules,
        *(Resource("alert channel", code, channel.label) for code, channel in all_channels().items()),
    ]


def _apply(tenant: Tenant, request: Request, acting_user: Actor) -> None:
    Rule.objects.bulk_create([rule.for_tenant(tenant) for rule in STANDARD_RULES])
    Channel.objects.bulk_create([Channel(tenant=tenant, kind=code) for code in all_channels()])


register_step(Step("alerts.rules", _plan, _apply))
