from __future__ import annotations

from isolation.errors import DomainError


class ReportingCycle(DomainError):
    code = "rbac.reporting_cycle"
    sentence = "{manager} already reports to {member}, directly or through others. Choose a manager outside that team."
    field = "manager"
