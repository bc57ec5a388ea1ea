"""How often a workspace may be synced, by tier.

Defaults: administrator guide (``000_c7eb0ff07ff5e34f.txt``), "Sync schedules": starter daily, growth hourly, enterprise every 15 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenants.models import Tier

DAY = 24 * 60


@dataclass(frozen=True)
class Bounds:
    """Minutes between two scheduled syncs: as provisioned, at least, at most."""

    default: int
    least: int
    most: int

    @property
    def is_fixed(self) -> bool:
        """Whether the tier leaves no choice."""
        return self.least == self.most

    @property
    def sentence(self) -> str:
        """The bounds in words, to end "a sync runs …"."""
        if self.is_fixed:
            return every(self.default)
        return f"at most {every(self.least)} and at least {every(self.most)}"

    def allow(self, minutes: int) -> bool:
        """Whether a schedule of that many minutes is within the bounds."""
        return self.least <= minutes <= self.most


BOUNDS: dict[Tier, Bounds] = {
    Tier.STARTER: Bounds(default=DAY, least=DAY, most=DAY),
    Tier.GROWTH: Bounds(default=60, least=15, most=DAY),
    Tier.ENTERPRISE: Bounds(default=15, least=5, most=DAY),
}


def every(minutes: int) -> str:
    """ "every 15 minutes", "every hour", "every 6 hours", "once a day"."""
    if minutes == DAY:
        return "once a day"
    if minutes % 60:
        return f"every {minutes} minutes"
    return "every hour" if minutes == 60 else f"every {minutes // 60} hours"
