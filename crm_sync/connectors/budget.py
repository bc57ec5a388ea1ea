"""The CRM's daily calls: how many are used, and the share that is left to the workspace's other programs."""

from __future__ import annotations

from dataclasses import dataclass

from crm_sync.connectors.base import Allowance, BudgetSpent

LOOK_AGAIN_SECONDS = 3600.0


@dataclass
class Budget:
    """What a connection may use. ``allowance`` is what the CRM told last; as long as it told nothing, all may be used.

    ``is_lifted``: for a person who waits for one answer and may use the reserve.
    """

    who: str
    reserve_percent: int = 0
    allowance: Allowance | None = None
    is_lifted: bool = False

    @property
    def usable(self) -> int | None:
        """Calls that may still be made; None where nothing is known."""
        known = self.allowance
        return None if known is None else known.limit * (100 - self.reserve_percent) // 100 - known.used

    def note(self, limit_info: str) -> None:
        """From a header such as ``api-usage=18/15000; per-app-api-usage=17/250(appName=x)``; other parts and forms are ignored."""
        for part in limit_info.replace(",", ";").split(";"):
            name, _, numbers = part.strip().partition("=")
            used, _, limit = numbers.strip().partition("/")
            if name.strip() == "api-usage" and used.isdecimal() and limit.isdecimal():
                self.allowance = Allowance(int(used), int(limit))

    def require(self) -> None:
        """Before a call, never after one: its answer is paid for. Raises: BudgetSpent, if only the reserve is left."""
        usable = self.usable
        if usable is None or usable > 0 or self.is_lifted:
            return
        assert self.allowance is not None
        raise BudgetSpent("budget_spent", self._sentence(self.allowance), LOOK_AGAIN_SECONDS)

    def _sentence(self, known: Allowance) -> str:
        kept = f", and {self.reserve_percent} % are kept for others" if self.reserve_percent else ""
        return (
            f"{known.used:,} of {self.who}'s {known.limit:,} calls of the day are used{kept}. "
            "The sync keeps its place and goes on when there are calls again; it looks every hour."
        )
