from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError, Forbidden
from rbac.errors import DeniedChange


class StaffOnly(DomainError):
    code = "break_glass.staff_only"
    status = HTTPStatus.FORBIDDEN
    sentence = "Only the vendor's staff enters a workspace this way, and each of them by the own account."


class InsideAlready(DomainError):
    code = "break_glass.inside_already"
    sentence = "You are in the data of {tenant} already, until {until}. End that first, or go on with it."


class MemberAlready(DomainError):
    code = "break_glass.member_already"
    sentence = "You are a member of {tenant}. Open the workspace as yourself: the start page leads there."


class WorkspaceOff(DomainError):
    code = "break_glass.workspace_off"
    sentence = "{tenant} is switched off: nobody can open it, the vendor's staff included."


class OverAlready(DomainError):
    code = "break_glass.over_already"
    sentence = "That access is over already. Open the page anew to see what is in force."


class ReadOnlyStay(DomainError):
    code = "break_glass.read_only"
    status = HTTPStatus.FORBIDDEN
    sentence = (
        "You are in the data of {tenant} as the vendor's staff, and that is for reading only: nothing was changed. "
        "Ask one of the workspace's admins to do it."
    )


class NotByMembership(DeniedChange, Forbidden):
    code = "break_glass.not_by_membership"
    sentence = (
        "{actor} is of the vendor's staff and does not make an own place in {tenant}. "
        "To read its data, enter it for some hours with a reason, on the workspace's page under Platform."
    )
    field = "email"
