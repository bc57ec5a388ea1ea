from __future__ import annotations

from http import HTTPStatus
from typing import Any

from isolation.actors import Actor
from isolation.errors import DomainError, Forbidden


class ApiSwitchedOff(DomainError):
    code = "rbac.api_switched_off"
    status = HTTPStatus.FORBIDDEN
    sentence = "The API is switched off for {tenant}. An admin can switch it on in the workspace's settings."


class DeniedChange(DomainError):
    """A refusal that stays on record: who tried, in which workspace, and to whom or what (``target``: id and label)."""

    def __init__(
        self, *, acting_user: Actor, tenant_id: int, target: tuple[str, str] = ("", ""), **facts: Any
    ) -> None:
        super().__init__(
            actor=acting_user.label, acting_user=acting_user, tenant_id=tenant_id, target=target, **facts
        )


class ReportingCycle(DeniedChange):
    code = "rbac.reporting_cycle"
    sentence = "{manager} already reports to {member}, directly or through others. Choose a manager outside that team."
    field = "manager"


_MEANWHILE = (
    " now: somebody changed that while you were at it, and nothing of yours was saved. "
    "Open the page anew and look again before you save."
)


class ManagerNotActive(DeniedChange):
    code = "rbac.manager_not_active"
    sentence = "{manager} is deactivated, so nobody can be put below them. Choose an active member."
    field = "manager"


class ManagerChangedMeanwhile(DeniedChange):
    code = "rbac.manager_changed_meanwhile"
    sentence = "{member} reports to {manager}" + _MEANWHILE


class MemberRoleChangedMeanwhile(DeniedChange):
    code = "rbac.member_role_changed_meanwhile"
    sentence = "{member} has the role {role}" + _MEANWHILE


class OwnerChangedMeanwhile(DeniedChange):
    code = "rbac.owner_changed_meanwhile"
    sentence = "The deals of {owner} are {member}’s" + _MEANWHILE


class RoleTooHigh(DeniedChange, Forbidden):
    code = "rbac.role_too_high"
    sentence = (
        "{actor} may not give, change or take the role “{role}” (level {level}): only roles below the own level ({own}) can be. "
        "Ask somebody with a higher role; admins are made and unmade by the vendor's staff."
    )


class RightsNotHeld(DeniedChange, Forbidden):
    code = "rbac.rights_not_held"
    sentence = (
        "{actor} may not make a role that holds more than {actor} does: {rights}. Leave that out of the role, "
        "or ask somebody who holds it."
    )


class OwnRoles(DeniedChange, Forbidden):
    code = "rbac.own_roles"
    sentence = (
        "Nobody gives themselves a role or adds to one that they hold, {actor} included. "
        "Ask somebody else with the right to do it."
    )


class OwnTeam(DeniedChange, Forbidden):
    code = "rbac.own_team"
    sentence = (
        "Nobody puts people under themselves, {actor} included: who leads a team sees its deals. "
        "Ask somebody else with the right to do it."
    )


class DutiesConflict(DeniedChange):
    code = "rbac.duties_conflict"
    sentence = (
        "{member} cannot be “{role}” and “{other}” at the same time: {reason}. "
        "End one of the two first, or choose times that do not overlap."
    )
    field = "role"


class RoleInUse(DeniedChange):
    code = "rbac.role_in_use"
    sentence = "“{role}” is held by {holders} and cannot be archived. Take it from them first: the people's list shows who they are."


class RoleChangedMeanwhile(DeniedChange):
    code = "rbac.role_changed_meanwhile"
    sentence = "{by} changed “{role}” while you were at it, and nothing of yours was saved. Open the role anew and change it again."


class RoleArchived(DeniedChange):
    code = "rbac.role_archived"
    sentence = (
        "“{role}” is archived: nobody can hold or change it any more. Choose another role, or make a new one."
    )
    field = "role"


class RoleNameTaken(DeniedChange):
    code = "rbac.role_name_taken"
    sentence = "There is a role called “{name}” already, or one that reads alike. Choose another name."
    field = "name"


class RoleHeldAlready(DeniedChange):
    code = "rbac.role_held_already"
    sentence = "{member} holds “{role}” in that time already. End that grant first, or choose another time."
    field = "role"


class MemberNotActive(DeniedChange):
    code = "rbac.member_not_active"
    sentence = "{member} is deactivated and cannot be given a role. Let the person in again first."


class GrantEnded(DeniedChange):
    code = "rbac.grant_ended"
    sentence = (
        "That grant of “{role}” to {member} has ended already. Open the page anew to see what is in force."
    )


class ShareOwnRows(DeniedChange, Forbidden):
    code = "rbac.share_own_rows"
    sentence = (
        "{actor} may not share “{label}” or end its shares: only who may change it can. "
        "Ask its owner, a manager of the owner, or somebody who sees every deal."
    )


class ShareOutlivesOwn(DeniedChange):
    code = "rbac.share_outlives_own"
    sentence = "“{label}” is shared with you until {until}, and cannot be passed on for longer. Choose an end up to then."
    field = "until"


class ShareTwoWorkspaces(DeniedChange):
    code = "rbac.share_two_workspaces"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no such person in this workspace. Choose one of its members."
    field = "member"


class ShareHeldAlready(DeniedChange):
    code = "rbac.share_held_already"
    sentence = "“{label}” is shared with {member} already. End that share first, then share it anew."
    field = "member"


class ShareEnded(DeniedChange):
    code = "rbac.share_ended"
    sentence = (
        "The share of “{label}” with {member} has ended already. Open the page anew to see what is in force."
    )


class TrialStaffRefused(DomainError):
    code = "rbac.trial_staff_refused"
    status = HTTPStatus.FORBIDDEN
    sentence = (
        "Test accounts are not made where real people work, and these settings are a server's. "
        "Try it on a machine of your own (`make up`); here, add people on the workspace's page People."
    )


class OwnAccess(DeniedChange, Forbidden):
    code = "rbac.own_access"
    sentence = (
        "Nobody reviews their own access, {actor} included. Ask somebody else who may review access; where there is nobody, "
        "give somebody a role with that right, or ask the vendor's staff."
    )


class ReviewRunning(DomainError):
    code = "rbac.review_running"
    sentence = "The review {name} is not finished. Decide what is left in it before you start another one."


class ReviewEmpty(DomainError):
    code = "rbac.review_empty"
    sentence = "Nobody in {tenant} holds anything that could be reviewed. Add people first."


class ReviewItemDecided(DomainError):
    code = "rbac.review_item_decided"
    sentence = "“{thing}” of {member} was decided already: {decision} by {by}. A decision stands; what is held can be changed under People."


class ReviewItemEnded(DomainError):
    code = "rbac.review_item_ended"
    sentence = "“{thing}” of {member} ended already and needs no decision. Open the page anew."
