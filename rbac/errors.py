from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError


class ReportingCycle(DomainError):
    code = "rbac.reporting_cycle"
    sentence = "{manager} already reports to {member}, directly or through others. Choose a manager outside that team."
    field = "manager"


class ApiSwitchedOff(DomainError):
    code = "rbac.api_switched_off"
    status = HTTPStatus.FORBIDDEN
    sentence = "The API is switched off for {tenant}. An admin can switch it on in the workspace's settings."
