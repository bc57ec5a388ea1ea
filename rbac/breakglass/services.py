"""A stay of the vendor's staff in a workspace's data: begun, ended, and recorded request by request."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from enum import IntEnum
from uuid import UUID

from django.db import transaction

from audit.registry import AuditEvent
from audit.services import record, record_platform
from isolation import context, jobs
from isolation.actors import Actor, ActorKind, require
from isolation.errors import InvalidInput
from pages.templatetags.formats import local_time
from rbac.breakglass.errors import InsideAlready, MemberAlready, OverAlready, StaffOnly, WorkspaceOff
from rbac.breakglass.events import (
    BreakGlassEnded,
    BreakGlassRead,
    BreakGlassStarted,
    BreakGlassWriteRefused,
)
from rbac.breakglass.selectors import in_force, own_stays_in_force
from rbac.held import database_now, roles_held
from rbac.models_breakglass import BreakGlass, BreakGlassMail
from rbac.redaction.reading import Door
from rbac.standing import standing_of
from tenants.models import Member, Tenant
from tenants.permissions import PEOPLE_EDIT

SHORTEST_REASON, LONGEST_REASON, LONGEST_TICKET = 15, 300, 60
MAILS_JOB = "rbac.break_glass_mails"


class Stay(IntEnum):
    """How long a stay may be, in minutes. The table itself refuses more than the longest."""

    QUARTER = 15
    HOUR = 60
    SHIFT = 240


@transaction.atomic
def break_glass_start(
    *, tenant: Tenant, reason: str, stay: Stay, ticket: str = "", acting_user: Actor
) -> BreakGlass:
    """Let the acting operator read the workspace until ``stay`` is over, and tell its admins. Needs the platform context.

    Raises: StaffOnly, WorkspaceOff, MemberAlready, InsideAlready, InvalidInput.
    """
    operator_id = _operator(acting_user)
    reason, ticket = _reason(reason), _plain("ticket", ticket, LONGEST_TICKET)
    # The workspace first: two starts at once would not see each other.
    tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    _require_outside(tenant, acting_user)
    now = database_now()
    begun = BreakGlass(
        tenant=tenant, operator_id=operator_id, operator_label=acting_user.label, reason=reason, ticket=ticket,
        started_at=now, until=now + timedelta(minutes=stay),
    )  # fmt: skip
    begun.save(force_insert=True)
    event = BreakGlassStarted(
        **_about(begun), workspace=tenant.name, reason=reason, ticket=ticket, told=_owe_mails(begun),
        until=f"{local_time(begun.until, tenant.timezone)}, {tenant.timezone}",
    )  # fmt: skip
    _record_twice(event, tenant.id, acting_user)
    with context.shared_tables():
        jobs.wake(MAILS_JOB)  # last, as everybody does: its row is locked till the end
    return begun


@transaction.atomic
def break_glass_end(*, stay: BreakGlass, acting_user: Actor) -> BreakGlass:
    """End a stay at once: operators any, members with the right to change people those in their workspace.

    Raises: Forbidden, OverAlready.
    """
    require(acting_user, PEOPLE_EDIT, stay.tenant_id)
    found = BreakGlass.objects.select_for_update(of=("self",), no_key=True).select_related("tenant")
    open_ones = found.filter(in_force(), tenant_id=stay.tenant_id, pk=stay.pk)
    ended: BreakGlass | None = open_ones.first()
    if ended is None:
        raise OverAlready
    ended.ended_at, ended.ended_by = database_now(), acting_user.label
    ended.save(update_fields=["ended_at", "ended_by"])
    event = BreakGlassEnded(**_about(ended), workspace=ended.tenant.name)
    _record_twice(event, ended.tenant_id, acting_user)
    return ended


def read_record(*, stay: BreakGlass, path: str, door: Door, acting_user: Actor) -> None:
    """Put one request on record, before anything is read for it: where this cannot be written, there is no answer."""
    event = BreakGlassRead(**_about(stay), path=path, view=door.name, filters=door.filters)
    with context.tenant_wide(stay.tenant_id):
        record(event, acting_user=acting_user)


def write_refused_record(*, stay: BreakGlass, method: str, path: str, door: Door, acting_user: Actor) -> None:
    """Put on record that a change was tried."""
    event = BreakGlassWriteRefused(**_about(stay), method=method, path=path, view=door.name)
    with context.tenant_wide(stay.tenant_id):
        record(event, acting_user=acting_user)


def _operator(acting_user: Actor) -> UUID:
    if acting_user.kind is not ActorKind.OPERATOR or not acting_user.is_trusted_everywhere:
        raise StaffOnly
    assert acting_user.user_id is not None
    return acting_user.user_id


def _reason(text: str) -> str:
    reason = _plain("reason", text, LONGEST_REASON)
    if len(reason) < SHORTEST_REASON:
        problem = (
            f"Say why in at least {SHORTEST_REASON} characters, so that the customer understands it: what is looked for, and who "
            "asked. For example: “Acme asked why two deals are missing since Monday”."
        )
        raise InvalidInput(field="reason", problem=problem)
    return reason


def _plain(field: str, text: str, longest: int) -> str:
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if len(text) > longest or any(unicodedata.category(letter).startswith("C") for letter in text):
        raise InvalidInput(
            field=field, problem=f"The {field} can have at most {longest} characters, all of them plain."
        )
    return text


def _require_outside(tenant: Tenant, acting_user: Actor) -> None:
    if not tenant.is_active:
        raise WorkspaceOff(tenant=tenant.name)
    if Member.objects.filter(tenant=tenant, user_id=acting_user.user_id, is_active=True).exists():
        raise MemberAlready(tenant=tenant.name)
    assert acting_user.user_id is not None
    mine = own_stays_in_force(acting_user.user_id).filter(tenant=tenant).first()
    if mine is not None:
        raise InsideAlready(tenant=tenant.name, until=local_time(mine.until, tenant.timezone))


def _owe_mails(stay: BreakGlass) -> int:
    """One mail for each who may end the stay; where nobody may, as with design partners, for everybody who is there."""
    members = list(Member.objects.filter(tenant_id=stay.tenant_id, is_active=True))
    held = roles_held(members)
    admins = [
        one for one in members if PEOPLE_EDIT in standing_of([r.role for r in held[one.id]]).permissions
    ]
    mails = [BreakGlassMail(tenant_id=stay.tenant_id, stay=stay, member=one) for one in admins or members]
    BreakGlassMail.objects.bulk_create(mails)
    return len(mails)


def _about(stay: BreakGlass) -> dict[str, str]:
    return {"target_id": str(stay.id), "target_label": stay.operator_label}


def _record_twice(event: AuditEvent, tenant_id: int, acting_user: Actor) -> None:
    """In the customer's log and in the vendor's own."""
    record(event, acting_user=acting_user, tenant_id=tenant_id)
    record_platform(event, acting_user=acting_user)
