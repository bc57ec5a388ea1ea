"""What alert rules can watch in rooms that stand below the alerts and so cannot register it themselves."""

from __future__ import annotations

from alerts.registry import Metric, Unit, register
from rbac.permissions import ACCESS_REVIEW
from rbac.review.selectors import DUE_SOON_SQL, OVERDUE_SQL

_PAGE = "settings/access-review/"

register(
    Metric(
        code="rbac.reviews_overdue",
        sentence="Number of overdue decisions in access reviews",
        unit=Unit.COUNT,
        sql=OVERDUE_SQL,
        page=_PAGE,
        page_permission=ACCESS_REVIEW,
    )
)
# It counts on when they are overdue: otherwise the alert would end with "recovered" on the day after the last.
register(
    Metric(
        code="rbac.reviews_due_soon",
        sentence="Number of decisions in access reviews that are due within a week or overdue",
        unit=Unit.COUNT,
        sql=DUE_SOON_SQL,
        page=_PAGE,
        page_permission=ACCESS_REVIEW,
    )
)
