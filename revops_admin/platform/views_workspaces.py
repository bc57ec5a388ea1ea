"""Workspaces as operators see them: all of them, one of them, a new one."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from accounts.models import AccessKey
from alerts.selectors import open_alerts
from crm_sync.failures import class_of
from crm_sync.models import SyncRun
from isolation import context
from isolation.errors import NotFound
from pages.asking import Asked
from pages.forms import carried_out
from pages.keyset import Rows, rows_of
from pages.objects import (
    SEVERITY_BADGES,
    STATE_BADGES,
    Action,
    Badge,
    Column,
    Crumb,
    Definition,
    EmptyState,
    ListPage,
    Page,
    Stat,
    Table,
)
from pages.templatetags.formats import local_time, number
from pages.times import ago
from rbac.breakglass.forms import EnterForm
from rbac.forms import MemberForm
from revops_admin.platform import selectors
from revops_admin.platform.access import OperatorRequest, operator_view
from revops_admin.platform.panel_break_glass import EnterPanel, panel_of
from revops_admin.platform.rows import KeyRow, PersonRow, RunRow
from revops_admin.platform.selectors import NEVER, SYNC_STATES, WorkspaceFilters
from tenants.models import Crm, Member, RoleCode, Tenant, TenantKind, Tier
from tenants.services import member_invite, partner_key_issue, partner_key_revoke

PAGE_SIZE = 50
PEOPLE_SHOWN = 100
RUNS_SHOWN = 10
_ORDERS = {"name": "label", "members": "members", "sync": "last_success", "alerts": "open_alerts"}
_ACTIVE = {"active": "Active", "inactive": "Inactive"}
_LOOK = "operator looks at the workspaces"


@dataclass(frozen=True)
class WorkspaceRow:
    """One line of the list."""

    name: str
    slug: str
    url: str
    tier: str
    crm: str
    kind: str
    members: str
    deals: str
    sync: Badge
    synced: str
    alerts: int
    is_active: bool


@operator_view
@require_safe
def workspaces(request: OperatorRequest) -> HttpResponse:
    """Every workspace with what an operator looks for first: does it sync, does it alert."""
    asked = Asked.of(request)
    filters = _filters(asked)
    sort = asked.sort(_ORDERS, "name")
    order = _ordered(sort)
    with context.platform(_LOOK, request.operator):
        rows = rows_of(selectors.workspaces(filters), order=order, cursor=asked.cursor, size=PAGE_SIZE)
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "platform/workspaces.html", {"page": _list_page(asked, rows, sort)}, status=status)


def _filters(asked: Asked) -> WorkspaceFilters:
    search = asked.text("q", "Search", placeholder="Name")
    tier = asked.choice("tier", "Tier", dict(Tier.choices))
    kind = asked.choice("kind", "For", dict(TenantKind.choices))
    sync = asked.choice("sync", "Last sync", SYNC_STATES)
    state = asked.choice("state", "State", _ACTIVE)
    return WorkspaceFilters(search, tier, kind, sync, state == "active" if state else None)


def _ordered(sort: str) -> tuple[str, str]:
    sign = "-" if sort.startswith("-") else ""
    return f"{sign}{_ORDERS[sort.lstrip('-')]}", f"{sign}id"


def _list_page(asked: Asked, rows: Rows[Tenant], sort: str) -> ListPage[WorkspaceRow]:
    columns = [
        asked.column("Workspace", "name", sort), Column("Tier"), Column("CRM"),
        asked.column("Members", "members", sort), Column("Deals", align="end"),
        asked.column("Last sync", "sync", sort), asked.column("Open alerts", "alerts", sort),
    ]  # fmt: skip
    create = Action("New workspace", reverse("platform:provision"), icon="plus", kind="primary")
    return ListPage(
        title="Workspaces",
        lead="Every customer and partner, and whether their data is fresh.",
        actions=[create],
        filters=asked.filters(),
        table=Table(
            caption="Workspaces",
            columns=columns,
            rows=[_row(tenant) for tenant in rows.rows],
            row_template="platform/_workspace_row.html",
            next_url=asked.pager(rows.next),
            previous_url=asked.pager(rows.previous),
            empty=EmptyState(
                "No workspace matches", "Take a filter away, or make a new workspace.", icon="building"
            ),
        ),
    )


def _row(tenant: Tenant) -> WorkspaceRow:
    numbers = vars(tenant)  # what selectors.workspaces annotated
    return WorkspaceRow(
        name=tenant.name,
        slug=tenant.slug,
        url=_url("workspace", tenant),
        tier=Tier(tenant.tier).label,
        crm=Crm(tenant.crm).label,
        kind="" if tenant.kind == TenantKind.CUSTOMER else TenantKind(tenant.kind).label,
        members=number(numbers["members"]),
        deals=number(numbers["deals"]),
        sync=_sync_badge(numbers["sync_state"]),
        synced=ago(numbers["synced_at"]) if numbers["synced_at"] else "",
        alerts=numbers["open_alerts"],
        is_active=tenant.is_active,
    )


def _sync_badge(state: str) -> Badge:
    return STATE_BADGES.get(state, Badge(SYNC_STATES[NEVER], "neutral", "circle-dashed"))


def _url(name: str, tenant: Tenant, **more: object) -> str:
    return reverse(f"platform:{name}", kwargs={"slug": tenant.slug, **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspacePage(Page):
    """One workspace."""

    stats: list[Stat]
    facts: list[Definition]
    runs: list[RunRow]
    alerts: list[Definition]
    people: list[PersonRow]
    keys: list[KeyRow]
    is_partner: bool
    member_form: MemberForm
    member_url: str
    secret: str
    enter: EnterPanel


@operator_view
@require_safe
def workspace(request: OperatorRequest, slug: str) -> HttpResponse:
    """One workspace: facts, runs, alerts, people, and the keys of partners."""
    return shown(request, slug)


@operator_view
@require_POST
def member_add(request: OperatorRequest, slug: str) -> HttpResponse:
    """Add a person, such as a customer's first admin."""
    with context.platform(f"operator adds a person to {slug}", request.operator):
        tenant = tenant_of(slug)
        form = MemberForm(request.POST, tenant=tenant)

        def write() -> None:
            given = form.cleaned_data
            member_invite(
                tenant=tenant,
                email=given["email"],
                name=given["name"],
                role=form.role,
                acting_user=request.operator,
            )

        is_done = carried_out(form, write)
    if not is_done:
        return shown(request, slug, member_form=form)
    note = f"{form.cleaned_data['email']} was added. Who is new here gets a mail with the link to set a password."
    messages.success(request, note)
    return redirect("platform:workspace", slug=slug)


@never_cache
@operator_view
@require_POST
@sensitive_variables("secret")
def key_issue(request: OperatorRequest, slug: str, member_id: UUID) -> HttpResponse:
    """A new access key for a partner. The answer itself shows it, once: nothing keeps it."""
    with context.platform(f"operator issues an access key for {slug}", request.operator):
        member = _partner(slug, member_id)
        _, secret = partner_key_issue(member=member, acting_user=request.operator)
    return shown(request, slug, secret=secret)


@operator_view
@require_POST
def key_revoke(request: OperatorRequest, slug: str, key_id: UUID) -> HttpResponse:
    """Make a partner's key useless at once."""
    with context.platform(f"operator revokes an access key of {slug}", request.operator):
        key = AccessKey.objects.filter(pk=key_id).first()
        member = Member.objects.filter(tenant=tenant_of(slug), user_id=key.user_id).first() if key else None
        if key is None or member is None:
            raise NotFound(what="access key")
        partner_key_revoke(member=member, key=key, acting_user=request.operator)
    messages.success(request, f"The key {key.hint} does not work any more.")
    return redirect("platform:workspace", slug=slug)


def tenant_of(slug: str) -> Tenant:
    """The workspace with its numbers. Needs the platform context. Raises: NotFound."""
    tenant = selectors.workspace(slug)
    if tenant is None:
        raise NotFound(what="workspace")
    return tenant


def _partner(slug: str, member_id: UUID) -> Member:
    partners = Member.objects.select_related("tenant").filter(is_active=True, tenant__kind=TenantKind.PARTNER)
    member: Member | None = partners.filter(tenant__slug=slug, pk=member_id).first()
    if member is None:
        raise NotFound(what="partner")
    return member


def shown(
    request: OperatorRequest, slug: str, *,
    member_form: MemberForm | None = None, enter_form: EnterForm | None = None, secret: str = "",
) -> HttpResponse:  # fmt: skip
    """The workspace's page, with a form that was refused if one was."""
    with context.platform(f"operator looks at {slug}", request.operator):
        tenant = tenant_of(slug)
        panel = panel_of(tenant, request.operator, enter_form)
        page = _workspace_page(tenant, member_form, secret, panel)
    status = 400 if member_form or enter_form else 200
    return render(request, "platform/workspace.html", {"page": page}, status=status)


def _workspace_page(
    tenant: Tenant, member_form: MemberForm | None, secret: str, enter: EnterPanel
) -> WorkspacePage:
    people = selectors.members_of(tenant.id, PEOPLE_SHOWN)
    is_partner = tenant.kind == TenantKind.PARTNER
    keys = selectors.access_keys_of(people) if is_partner else []
    emails = {member.user_id: member.email for member in people}
    return WorkspacePage(
        title=tenant.name,
        lead="" if tenant.is_active else "This workspace is switched off: nobody can open it.",
        crumbs=[Crumb("Workspaces", reverse("platform:workspaces"))],
        stats=_stats(tenant),
        facts=_facts(tenant),
        runs=_runs(tenant),
        alerts=_alerts(tenant),
        people=[_person(tenant, member) for member in people],
        keys=[_key(tenant, key, emails[key.user_id]) for key in keys],
        is_partner=is_partner,
        member_form=member_form or MemberForm(None, tenant=tenant),
        member_url=_url("member_add", tenant),
        secret=secret,
        enter=enter,
    )


def _stats(tenant: Tenant) -> list[Stat]:
    numbers = vars(tenant)
    alerts = numbers["open_alerts"]
    return [
        Stat("Members", number(numbers["members"])),
        Stat("Deals", number(numbers["deals"])),
        Stat("Open alerts", number(alerts), tone="warning" if alerts else "neutral"),
        Stat("Last successful sync", ago(numbers["synced_at"]).capitalize()),
    ]


def _facts(tenant: Tenant) -> list[Definition]:
    return [
        Definition("Name in addresses", tenant.slug),
        Definition("For a", TenantKind(tenant.kind).label),
        Definition("Tier", Tier(tenant.tier).label),
        Definition("CRM", Crm(tenant.crm).label),
        Definition("Time zone", tenant.timezone.replace("_", " ")),
        Definition("Currency", tenant.currency),
        Definition("Made", local_time(tenant.created_at, "UTC")),
    ]


def _runs(tenant: Tenant) -> list[RunRow]:
    return [
        RunRow(
            state=_sync_badge(run.state),
            when=ago(run.finished_at or run.started_at or run.requested_at),
            what=f"{Crm(run.connection.source).label}, {run.get_kind_display().lower()}{', everything' if run.is_full else ''}",
            by=run.get_trigger_display(),
            rows=number(run.rows_read),
            problem=_problem(run),
        )
        for run in selectors.last_runs(tenant.id, RUNS_SHOWN)
    ]


def _problem(run: SyncRun) -> str:
    found = class_of(run.error_code)
    return f"{found.label}: {run.error_message}" if found else run.error_message


def _alerts(tenant: Tenant) -> list[Definition]:
    return [
        Definition(f"{alert.rule_name}, {ago(alert.opened_at)}", SEVERITY_BADGES[alert.severity])
        for alert in open_alerts(tenant.id)[:RUNS_SHOWN]
    ]


def _person(tenant: Tenant, member: Member) -> PersonRow:
    may_hold_key = tenant.kind == TenantKind.PARTNER and member.is_active
    return PersonRow(
        name=str(member),
        email=member.email if member.name else "",
        role=RoleCode(member.role).label,
        state=STATE_BADGES["active"] if member.is_active else Badge("Deactivated", "neutral", "circle-x"),
        url=_url("member", tenant, member_id=member.id),
        issue_url=_url("key_issue", tenant, member_id=member.id) if may_hold_key else "",
    )


def _key(tenant: Tenant, key: AccessKey, email: str) -> KeyRow:
    question = (
        f"The key {key.hint} of {email} stops working at once, and everybody signed in with it is signed out."
    )
    revoke = Action(
        "Revoke",
        _url("key_revoke", tenant, key_id=key.id),
        icon="trash",
        method="post",
        kind="danger",
        confirm=question,
    )
    return KeyRow(
        hint=key.hint,
        owner=email,
        created=local_time(key.created_at, "UTC"),
        used=ago(key.last_used_at),
        revoke=None if key.revoked_at else revoke,
        state=Badge("Revoked", "neutral", "circle-x") if key.revoked_at else Badge("Valid", "good", "check"),
    )
