"""The workspaces that the browser tests look at: a bit of everything that pages show, made once for a test file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from alerts.evaluation import evaluate
from alerts.models import Alert
from crm_sync.models import CheckedMonth, Connection, Opportunity, RejectedRow, SyncRun
from crm_sync.services.connections import connection_add
from isolation import context
from isolation.models import Heartbeat
from operations.models import PriorityItem
from operations.scoring import score_open_items
from operations.services import NewItem, items_import
from rbac.custom_roles import RoleDraft, custom_role_create
from rbac.grants import Term, role_grant, role_grant_end
from rbac.models import Sight
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.review.services import review_decide, review_start
from tenants.models import Member, RoleCode
from tenants.services import member_add, partner_key_issue
from tests import cast
from tests.api.conftest import make_account, make_alert, make_run
from tests.pipeline.deals import (
    add_activity,
    add_contact,
    add_stage,
    ago,
    build,
    make_deal,
    owner_of,
    today_of,
)
from tests.pipeline.shares import give

STAGES = ("Qualification", "Discovery", "Demo/POC", "Proposal", "Negotiation")
CUSTOMERS = ("Northwind", "Contoso", "Fabrikam", "Initech", "Umbrella", "Hooli", "Globex")


@dataclass
class Scene:
    """What the tests name; ``samples`` fills the parameters of a workspace's addresses by route name."""

    access_key: str
    deal: str
    account: str
    alert: Alert
    run: SyncRun
    item: PriorityItem
    member: Member
    standing: Member
    role: str
    review: ReviewCampaign


def plant() -> Scene:
    """Fill Acme, a little of Beta, and the partner's workspace; committed."""
    rep, admin, partner = (cast.member_of(key) for key in ("rep", "admin", "partner"))
    deals = [_deal(rep, number) for number in range(61)]
    for key in ("other_rep", "distant_rep", "beta_rep"):
        make_deal(cast.member_of(key), name=f"{key} deal", close_on=None)
    for place in (0, 1):
        add_stage(deals[place], "Qualification", ago(40))
        add_activity(deals[place], today_of(rep.tenant) - timedelta(days=2))
        add_contact(deals[place], "003000000000001")
    for member in (rep, cast.member_of("beta_rep")):
        build(member.tenant)
    account = make_account(rep)
    for row in (deals[1], account):
        give(row, cast.member_of("other_rep"), until=timezone.now() + timedelta(days=30))
    run = make_run(admin)
    _reject(run)
    _crm(run)
    alert = make_alert(admin)
    evaluate(cast.PLANTER)
    _items(admin)
    _second_workspace()
    Heartbeat.objects.bulk_create([Heartbeat(name=name, at=timezone.now()) for name in ("worker", "beat")])
    with context.tenant_wide(partner.tenant_id):
        _, access_key = partner_key_issue(member=partner, acting_user=cast.PLANTER)
    with context.tenant_wide(admin.tenant_id):
        item = PriorityItem.objects.filter(tenant=admin.tenant).order_by("-score")[0]
    standing, role = _roles()
    return Scene(
        access_key,
        deals[0].external_id,
        account.external_id,
        alert,
        run,
        item,
        rep,
        standing,
        role,
        _review(admin),
    )


def _roles() -> tuple[Member, str]:
    """A role of Acme's own, and a member who holds it beside another that is over and one that begins later."""
    member = cast.member_of("distant_rep")
    draft = RoleDraft(
        "Deal desk",
        "Prices and exceptions.",
        6,
        Sight.TEAM,
        frozenset({"pipeline.view", "ops.priority_queue.view"}),
    )
    with context.tenant_wide(member.tenant_id):
        role = custom_role_create(tenant=member.tenant, draft=draft, acting_user=cast.PLANTER)
        end = timezone.now() + timedelta(days=9)
        for code, term in ((role.code, Term(until=end)), ("agent", Term()), ("support", Term(since=end))):
            grant = role_grant(
                member=member, role=code, term=term, reason="Covers for Rita", acting_user=cast.PLANTER
            )
            if code == "agent":
                role_grant_end(grant=grant, reason="Rita is back", acting_user=cast.PLANTER)
    return member, role.code


def _review(admin: Member) -> ReviewCampaign:
    """An access review of Acme under way, with lines to decide and one that was kept."""
    with context.tenant_wide(admin.tenant_id):
        campaign = review_start(tenant=admin.tenant, acting_user=cast.PLANTER)
        kept = ReviewItem.objects.filter(source="grant").order_by("label")[0]
        review_decide(
            item=kept, decision=ReviewDecision.KEEP, reason="Agreed with Mona", acting_user=cast.PLANTER
        )
    return campaign


def _deal(rep: Member, number: int) -> Opportunity:
    today = today_of(rep.tenant)
    return make_deal(
        rep, name=f"Deal {number:02} with {CUSTOMERS[number % 7]} Incorporated", account_name=CUSTOMERS[number % 7],
        stage=STAGES[number % 5], amount_minor=1_000_00 * (1 + number * 37 % 61), close_on=today + timedelta(days=number * 3 - 20),
        created_at=ago(60), last_activity_on=today - timedelta(days=number % 20), stage_changed_at=ago(number),
    )  # fmt: skip


def _reject(run: SyncRun) -> None:
    with context.tenant_wide(run.tenant_id):
        RejectedRow.objects.create(
            tenant_id=run.tenant_id, connection_id=run.connection_id, run=run, object_name="Opportunity",
            external_id="006000000000BAD", field="CloseDate", value="2026-02-30", reason="“2026-02-30” is not a date.",
            raw={"Id": "006000000000BAD", "CloseDate": "2026-02-30"},
        )  # fmt: skip
        SyncRun.objects.filter(pk=run.pk).update(rows_rejected=1)


def _crm(run: SyncRun) -> None:
    """What a connection has after a while: a run that failed, calls used, a comparison that found something, a second CRM."""
    own = {"tenant_id": run.tenant_id, "connection_id": run.connection_id}
    with context.tenant_wide(run.tenant_id):
        Connection.objects.filter(pk=run.connection_id).update(
            api_calls_used=62_000, api_calls_limit=100_000, api_calls_seen_at=timezone.now(), last_synced_at=timezone.now(),
            account_label="Acme Corporation", checked_at=timezone.now(),
            pace={"bulk": {"rows_per_second": 30_000.0, "seconds_before_first_row": 4.2}},
        )  # fmt: skip
        SyncRun.objects.create(
            **own, trigger="schedule", state="failed", requested_by="schedule", started_at=ago(1), finished_at=ago(1),
            error_code="field_missing", error_message="Opportunity has no field StageName.",
        )  # fmt: skip
        for month, here in ((1, 40), (2, 41)):
            CheckedMonth.objects.create(
                **own, object_name="Opportunity", month=date(2026, month, 1), crm_rows=41, mirror_rows=here,
                crm_checksum="41", mirror_checksum=str(here), healed_rows=41 - here,
            )  # fmt: skip
        connection_add(tenant=cast.tenant_of(cast.ACME), source="hubspot", acting_user=cast.PLANTER)


def _items(admin: Member) -> None:
    items = [
        NewItem(
            kind=kind, subject=f"{subject} ({number})", message_snippet="Call me on 98123 45678 or write to usha@example.com.",
            contact_name="Usha K", contact_mobile="9812345678", contact_email="usha@example.com", intent_confidence=0.3 + number / 10,
            sentiment_urgency=number / 6, created_at=timezone.now() - timedelta(hours=7 * number + 1),
        )
        for number in range(6)
        for kind, subject in [("complaint", "Invoice is wrong for the third time"), ("question", "Can we export?")]
    ]  # fmt: skip
    with context.tenant_wide(admin.tenant_id):
        items_import(tenant_id=admin.tenant_id, items=items, rejected=0, acting_user=cast.PLANTER)
    with context.platform("score", cast.PLANTER):
        score_open_items()


def _second_workspace() -> None:
    """Mona, Acme's manager, is an analyst in Beta too."""
    manager, beta = cast.member_of("manager"), cast.tenant_of(cast.BETA)
    user = cast.user_of(manager)
    with context.tenant_wide(beta.id):
        member_add(tenant=beta, user=user, role=RoleCode.REVOPS_ANALYST, acting_user=cast.PLANTER)


def owner_id_of(key: str) -> str:
    """The CRM id of the owner that is this member of the cast."""
    return owner_of(cast.member_of(key)).external_id
