"""The door for the vendor's staff: what a stay lets through, and the check that nobody goes around it."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import User
from accounts.signals import is_key_session
from isolation.actors import Actor, ActorKind
from isolation.errors import NotFound
from rbac.breakglass.errors import NotByMembership, ReadOnlyStay
from rbac.breakglass.selectors import stay_entered
from rbac.breakglass.services import read_record, write_refused_record
from rbac.models import Sight
from rbac.models_breakglass import BreakGlass
from rbac.redaction.reading import Door
from tenants.hooks import RoleChange

# Named one by one: a right that is added later stays shut until somebody thinks of it. Contact data stays masked, and the
# rights to export (exports.run, ops.metrics.export) are not among them.
VIEWING = frozenset({
    "pipeline.view", "crm.view", "alerts.view", "tenant.view", "people.view", "audit.view",
    "ops.priority_queue.view", "ops.metrics.view", "ops.alerts.view", "ops.staff.view", "ops.config.view", "ops.audit.view",
})  # fmt: skip
_READING = ("GET", "HEAD")


def visitor_of(stay: BreakGlass) -> Actor:
    """The operator as acting user inside the workspace: reads all of it, changes nothing, is no member."""
    return Actor(
        kind=ActorKind.OPERATOR,
        label=stay.operator_label,
        user_id=stay.operator_id,
        tenant_id=stay.tenant_id,
        permissions=VIEWING,
        sight=Sight.EVERYTHING.value,
    )


def visit(request: HttpRequest, slug: str) -> tuple[BreakGlass, Actor]:
    """The operator's stay in that workspace, with this request put on record.

    Raises: NotFound where there is none in force, ReadOnlyStay for what is no reading.
    """
    stay = _stay_of(request, slug)
    if stay is None:
        raise NotFound(what="workspace of yours")
    actor, door = visitor_of(stay), Door.of(request)
    if request.method not in _READING:
        write_refused_record(
            stay=stay, method=str(request.method), path=request.path, door=door, acting_user=actor
        )
        raise ReadOnlyStay(tenant=stay.tenant.name)
    read_record(stay=stay, path=request.path, door=door, acting_user=actor)
    return stay, actor


def _stay_of(request: HttpRequest, slug: str) -> BreakGlass | None:
    user = request.user
    if not (isinstance(user, User) and user.is_active and user.is_operator) or is_key_session(request):
        return None
    return stay_entered(user.id, slug)


def refuse_own_place(change: RoleChange, acting_user: Actor) -> None:
    """Registered with ``tenants.hooks``: an operator gives no place in a workspace to himself. Raises: NotByMembership."""
    is_staff = acting_user.kind is ActorKind.OPERATOR
    if is_staff and change.given is not None and change.email.casefold() == acting_user.label.casefold():
        raise NotByMembership(
            acting_user=acting_user, tenant_id=change.tenant.id, target=("", change.email), tenant=change.tenant.name
        )  # fmt: skip
