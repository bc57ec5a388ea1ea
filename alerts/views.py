"""Alerts, their messages, the rules behind them, and where they go."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.contrib import messages
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts import selectors, services, shown
from alerts.channels.base import all_channels
from alerts.delivery import message_of
from alerts.forms import RuleForm
from alerts.models import Alert, BlockedRecipient, Channel, Delivery, Notice, Severity
from alerts.permissions import EDIT, VIEW
from alerts.shown import url
from isolation.errors import InvalidInput, NotFound
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import (
    SEVERITY_BADGES,
    Action,
    Column,
    Crumb,
    Definition,
    EmptyState,
    ListPage,
    Page,
    Table,
)
from pages.templatetags.formats import count, local_time
from pages.times import duration
from rbac.requests import Workspace, WorkspaceRequest, workspace_view
from tenants.models import Tenant

PAGE_SIZE = 50
M = TypeVar("M", bound=models.Model)


def _one(rows: QuerySet[M], pk: UUID, what: str) -> M:
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotFound(what=what)
    return found


# Alerts


@require_safe
@workspace_view(VIEW)
def index(request: WorkspaceRequest) -> HttpResponse:
    """Open and past alerts, newest first."""
    tenant, asked = request.workspace.tenant, Asked.of(request)
    wanted = _filtered(asked, tenant)
    rows = rows_of(wanted, order=("-opened_at", "-id"), cursor=asked.cursor, size=PAGE_SIZE)
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "alerts/index.html", {"page": _index_page(request, asked, rows)}, status=status)


def _filtered(asked: Asked, tenant: Tenant) -> QuerySet[Alert]:
    alerts = selectors.alerts_of(tenant.id)
    names = {rule.name: rule.name for rule in selectors.rules_of(tenant.id)}
    if state := asked.choice("state", "State", {"open": "Open", "past": "Past"}, everything="Open and past"):
        alerts = alerts.filter(closed_at__isnull=state == "open")
    if severity := asked.choice("severity", "Severity", dict(Severity.choices)):
        alerts = alerts.filter(severity=severity)
    if rule := asked.choice("rule", "Rule", names):
        alerts = alerts.filter(rule_name=rule)
    return alerts


def _index_page(request: WorkspaceRequest, asked: Asked, rows: Rows[Alert]) -> ListPage[shown.AlertRow]:
    tenant, may_edit, now = request.workspace.tenant, request.workspace.may(EDIT), timezone.now()
    table = Table(
        caption="Alerts, newest first",
        columns=[
            Column("Alert"),
            Column("Severity"),
            Column("State"),
            Column(f"Since ({tenant.timezone})"),
            Column("Actions", is_label_hidden=True),
        ],
        rows=[shown.alert_row(alert, tenant, now, may_edit=may_edit) for alert in rows.rows],
        row_template="alerts/_alert_row.html",
        count_label="Newest first",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=_no_alerts(asked),
    )
    return ListPage(
        title="Alerts",
        lead=_open_words(tenant.id),
        actions=_index_actions(request),
        table=table,
        filters=asked.filters(),
    )


def _no_alerts(asked: Asked) -> EmptyState:
    if asked.chips:
        return EmptyState("No alerts match", "Take a filter away.", icon="search")
    return EmptyState(
        "No alerts so far", "The rules are judged every five minutes; what they find shows here.", icon="bell"
    )


def _open_words(tenant_id: int) -> str:
    number = selectors.open_alert_count(tenant_id)
    return f"{count(number, 'alert')} open." if number else "Nothing needs attention now."


def _index_actions(request: WorkspaceRequest) -> list[Action]:
    workspace = request.workspace
    unread = selectors.unread_notice_count(workspace.actor, workspace.member)
    label = f"Notices ({unread} new)" if unread else "Notices"
    return [
        Action(label, url("notices", workspace.tenant), icon="inbox"),
        Action("Rules", url("rules", workspace.tenant), icon="adjustments-horizontal"),
    ]


@require_safe
@workspace_view(VIEW)
def detail(request: WorkspaceRequest, alert_id: UUID) -> HttpResponse:
    """One alert: what was found, who has it, and every message that left."""
    tenant = request.workspace.tenant
    alert = _one(selectors.alerts_of(tenant.id), alert_id, "alert")
    return render(request, "alerts/detail.html", {"page": _detail_page(request, alert)})


def _detail_page(request: WorkspaceRequest, alert: Alert) -> shown.DetailPage:
    tenant, may_edit = request.workspace.tenant, request.workspace.may(EDIT)
    labels = {code: channel.label for code, channel in all_channels().items()}
    rows = [
        shown.delivery_row(delivery, tenant, labels=labels, may_edit=may_edit)
        for delivery in selectors.deliveries_of(alert)
    ]
    heads = ("Message", "Channel", "Recipient", "State", f"When ({tenant.timezone})")
    return shown.DetailPage(
        title=alert.rule_name,
        lead=alert.sentence,
        crumbs=[Crumb("Alerts", url("index", tenant))],
        actions=_detail_actions(alert, request.workspace),
        definitions=_definitions(alert, tenant),
        deliveries=Table(
            caption="Messages of this alert",
            columns=[*map(Column, heads), Column("Actions", is_label_hidden=True)],
            rows=rows,
            row_template="alerts/_delivery_row.html",
            empty=EmptyState(
                "No messages left", "The channels were off, or the rule was within its cooldown.", icon="mail"
            ),
        ),
    )


def _detail_actions(alert: Alert, workspace: Workspace) -> list[Action]:
    tenant, may_edit = workspace.tenant, workspace.may(EDIT)
    metric, actions = alert.declared_metric, []
    if metric.page and (not metric.page_permission or workspace.may(metric.page_permission)):
        actions.append(Action("See what is behind it", f"/w/{tenant.slug}/{metric.page}", icon="search"))
    if may_edit:
        actions.append(Action("Edit the rule", url("rule", tenant, rule_id=alert.rule_id), icon="pencil"))
    if acknowledge_it := shown.acknowledge_action(alert, tenant, may_edit=may_edit):
        actions.append(acknowledge_it)
    return actions


def _definitions(alert: Alert, tenant: Tenant) -> list[Definition]:
    zone, end = tenant.timezone, alert.closed_at or timezone.now()
    taken_on = (
        f"{alert.acknowledged_by}, {local_time(alert.acknowledged_at, zone)}"
        if alert.acknowledged_at
        else "Nobody yet"
    )
    return [
        Definition("State", shown.alert_state(alert)),
        Definition("Severity", SEVERITY_BADGES[alert.severity]),
        Definition("Fires when", alert.condition),
        Definition("Opened", local_time(alert.opened_at, zone)),
        Definition("Closed", local_time(alert.closed_at, zone)),
        Definition(
            "Lasted" if alert.closed_at else "Open for", duration((end - alert.opened_at).total_seconds())
        ),
        Definition("Acknowledged by", taken_on),
    ]


@require_POST
@workspace_view(EDIT)
def acknowledge(request: WorkspaceRequest, alert_id: UUID) -> HttpResponse:
    """Say that somebody is on it."""
    tenant = request.workspace.tenant
    alert = _one(selectors.alerts_of(tenant.id), alert_id, "alert")
    services.alert_acknowledge(alert=alert, acting_user=request.workspace.actor)
    messages.success(request, f"You have taken on {alert.rule_name}. No more reminders are sent for it.")
    return redirect(url("detail", tenant, alert_id=alert.id))


@require_POST
@workspace_view(EDIT)
def resend(request: WorkspaceRequest, delivery_id: UUID) -> HttpResponse:
    """Send one message once more."""
    tenant = request.workspace.tenant
    rows = Delivery.objects.filter(tenant_id=tenant.id).select_related("alert", "tenant")
    delivery = _one(rows, delivery_id, "message")
    services.delivery_resend(delivery=delivery, acting_user=request.workspace.actor)
    recipient = shown.recipient_words(delivery.recipient)
    messages.success(request, f"“{message_of(delivery).title}” is on its way to {recipient} again.")
    return redirect(url("detail", tenant, alert_id=delivery.alert_id))


# Notices


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(VIEW)
def notices(request: WorkspaceRequest) -> HttpResponse:
    """The messages of the in-app channel; a POST marks them as read up to the instant ``until``."""
    if request.method == "POST":
        return _mark_read(request)
    workspace, asked = request.workspace, Asked.of(request)
    rows = rows_of(
        selectors.notices_for(workspace.actor, workspace.tenant.id),
        order=("-at", "-id"),
        cursor=asked.cursor,
        size=PAGE_SIZE,
    )
    return render(request, "alerts/notices.html", {"page": _notices_page(request, asked, rows)})


def _mark_read(request: WorkspaceRequest) -> HttpResponse:
    workspace, text = request.workspace, request.GET.get("until", "")
    until = _instant(text)
    assert workspace.member is not None, "the door lets only members change something"
    services.notices_mark_read(member=workspace.member, until=until, acting_user=workspace.actor)
    return redirect(url("notices", workspace.tenant))


def _instant(text: str) -> datetime:
    try:
        until = parse_datetime(text)
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise InvalidInput(
            field="until",
            problem="“until” must be an instant with its time zone, such as 2026-01-31T12:00:00Z.",
        )
    return until


def _notices_page(request: WorkspaceRequest, asked: Asked, rows: Rows[Notice]) -> ListPage[shown.NoticeRow]:
    workspace = request.workspace
    unread, seen = (
        selectors.unread_notice_count(workspace.actor, workspace.member),
        selectors.seen_until(workspace.member),
    )
    table = Table(
        caption="Notices, newest first",
        columns=[Column("Notice"), Column("Severity"), Column(f"When ({workspace.tenant.timezone})")],
        rows=[shown.notice_row(notice, workspace.tenant.timezone, seen) for notice in rows.rows],
        row_template="alerts/_notice_row.html",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=EmptyState("No notices so far", "What alert rules find is told here.", icon="inbox"),
    )
    return ListPage(
        title="Notices",
        lead=f"{unread} not read yet." if unread else "You have read everything.",
        crumbs=[Crumb("Alerts", url("index", workspace.tenant))],
        actions=_read_action(request, rows.rows) if unread else [],
        table=table,
    )


def _read_action(request: WorkspaceRequest, rows: list[Notice]) -> list[Action]:
    # Up to the newest one shown: what comes in while the page is being read stays unread.
    newest = max((notice.at for notice in rows), default=None)
    if newest is None:
        return []
    where = url("notices", request.workspace.tenant)
    until = newest.isoformat().replace("+00:00", "Z")
    return [Action("Mark all as read", f"{where}?until={until}", icon="check", method="post")]


# Rules and channels


@require_safe
@workspace_view(VIEW)
def rules(request: WorkspaceRequest) -> HttpResponse:
    """What is watched, and where alerts go."""
    tenant, may_edit = request.workspace.tenant, request.workspace.may(EDIT)
    rows = [shown.rule_row(rule, tenant, may_edit=may_edit) for rule in selectors.rules_of(tenant.id)]
    blocked = list(BlockedRecipient.objects.filter(tenant_id=tenant.id).order_by("recipient"))
    heads = ("Rule", "Severity", "State", "Now", "Judged", "At most every")
    page = shown.RulesPage(
        title="Alert rules",
        lead="Judged every five minutes and after each sync.",
        crumbs=[Crumb("Alerts", url("index", tenant))],
        table=Table(
            caption="Alert rules",
            columns=list(map(Column, heads)),
            rows=rows,
            row_template="alerts/_rule_row.html",
            empty=EmptyState(
                "No rules",
                "Provisioning the workspace makes the standard ones.",
                icon="adjustments-horizontal",
            ),
        ),
        channels=[
            shown.channel_card(c, blocked, tenant, may_edit=may_edit)
            for c in selectors.channels_of(tenant.id)
        ],
    )
    return render(request, "alerts/rules.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def rule_edit(request: WorkspaceRequest, rule_id: UUID) -> HttpResponse:
    """The form of one rule."""
    tenant = request.workspace.tenant
    rule = _one(selectors.rules_of(tenant.id), rule_id, "alert rule")
    form = RuleForm(request.POST if request.method == "POST" else None, rule=rule)
    if form.is_valid() and _saved(form, request):
        messages.success(request, f"{rule.name} was saved. It is judged again within seconds.")
        return redirect(url("rules", tenant))
    crumbs = [Crumb("Alerts", url("index", tenant)), Crumb("Rules", url("rules", tenant))]
    page = Page(title=rule.name, lead=f"{rule.declared_metric.sentence}.", crumbs=crumbs)
    facts = {"page": page, "form": form, "cancel": Action("Cancel", url("rules", tenant))}
    return render(request, "alerts/rule.html", facts, status=400 if form.errors else 200)


def _saved(form: RuleForm, request: WorkspaceRequest) -> bool:
    actor = request.workspace.actor
    switch = services.rule_enable if form.cleaned_data["is_enabled"] else services.rule_disable
    try:
        with transaction.atomic():
            switch(
                rule=services.rule_save(rule=form.rule, values=form.values, acting_user=actor),
                acting_user=actor,
            )
    except InvalidInput as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        return False
    return True


@require_POST
@workspace_view(EDIT)
def channel_switch(request: WorkspaceRequest, channel_id: UUID) -> HttpResponse:
    """Switch a channel on or off, by ``to`` in the address."""
    tenant, to = request.workspace.tenant, request.GET.get("to", "")
    if to not in ("on", "off"):
        raise InvalidInput(field="to", problem="Say whether to switch the channel “on” or “off”.")
    channel = _one(Channel.objects.filter(tenant_id=tenant.id), channel_id, "alert channel")
    services.channel_switch(channel=channel, is_enabled=to == "on", acting_user=request.workspace.actor)
    messages.success(request, f"The channel was switched {to}.")
    return redirect(url("rules", tenant))


@require_POST
@workspace_view(EDIT)
def unblock(request: WorkspaceRequest, blocked_id: UUID) -> HttpResponse:
    """Let messages go to a recipient again."""
    tenant = request.workspace.tenant
    blocked = _one(BlockedRecipient.objects.filter(tenant_id=tenant.id), blocked_id, "blocked recipient")
    services.recipient_unblock(blocked=blocked, acting_user=request.workspace.actor)
    messages.success(request, f"{blocked.recipient} gets the next message again.")
    return redirect(url("rules", tenant))
