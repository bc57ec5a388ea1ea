"""Access reviews: how one begins, by hand or by the calendar, and what deciding does and refuses."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from isolation import context, jobs
from isolation.actors import Actor
from isolation.errors import Forbidden
from rbac.custom_roles import RoleDraft, custom_role_create
from rbac.errors import OwnAccess, ReviewEmpty, ReviewItemDecided, ReviewItemEnded, ReviewRunning
from rbac.grants import role_grant_end
from rbac.models import Access, ShareKind, Sight
from rbac.models_review import ReviewCampaign, ReviewItem
from rbac.review import sources
from rbac.review.services import quarter_of, review_keep_all
from rbac.review.sources import Line, Source
from rbac.selectors import actor_of
from rbac.shared import Subject
from rbac.shares import share_give
from tenants.models import Member, RoleCode, Tenant
from tenants.selectors import settings_of
from tenants.services import member_deactivate, member_role_change, settings_save
from tests import cast
from tests.cast import PLANTER
from tests.rbac.reviews import (
    KEEP,
    REVIEWS,
    REVOKE,
    ClientOf,
    aged,
    begin,
    decided,
    events,
    give,
    is_active,
    item_of,
    tend,
)

pytestmark = pytest.mark.django_db


class TestStarting:
    def test_puts_everything_that_is_held_before_reviewers(self, acme: Tenant, rep: Member) -> None:
        draft = RoleDraft("Deal desk", "Prices.", 6, Sight.TEAM, frozenset({"pipeline.view", "exports.run"}))
        with context.tenant_wide(acme.id):
            role = custom_role_create(tenant=acme, draft=draft, acting_user=PLANTER)
        end = timezone.now() + timedelta(days=30)
        give(rep, role.code, end)
        campaign = begin(acme)
        with context.tenant_wide(acme.id):
            items = list(ReviewItem.objects.order_by("email", "place"))
        assert {item.email for item in items if item.source == "base_role"} == {
            email for slug, _, email, _ in cast.PEOPLE.values() if slug == cast.ACME
        }
        base, granted = [item for item in items if item.member_id == rep.id]
        assert (base.label, base.level, base.snapshot["held"]["until"]) == ("Rep", 5, None)
        assert (granted.label, granted.level, granted.snapshot["held"]["rights"]) == ("Deal desk", 6, 2)
        assert granted.snapshot["held"]["reason"] == "Covers for Otto"
        assert granted.snapshot["held"]["until"].startswith(end.isoformat()[:19])
        assert granted.snapshot["person"] == {
            "roles": ["Rep", "Deal desk"], "facts": [{"label": "CRM", "value": "Rita Rep (salesforce)"}],
        }  # fmt: skip
        assert (campaign.closed_at, campaign.started_by) == (None, PLANTER.label)

    def test_keeps_what_was_held_as_it_was(self, acme: Tenant, rep: Member) -> None:
        begin(acme)
        with context.tenant_wide(acme.id):
            Member.objects.filter(pk=rep.pk).update(name="Rita Renamed")
        assert item_of(rep).name == "Rita Rep"

    def test_leaves_out_who_is_deactivated_with_all_roles(self, acme: Tenant, rep: Member) -> None:
        give(rep, "viewer")
        with context.tenant_wide(acme.id):
            member_deactivate(member=rep, reason="gone", acting_user=PLANTER)
        begin(acme)
        with context.tenant_wide(acme.id):
            assert not ReviewItem.objects.filter(member=rep).exists()

    def test_names_the_quarter_and_the_last_day_by_the_workspaces_settings(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            data = settings_of(acme.id).model_dump() | {"access_review": {"days_to_decide": 3}}
            settings_save(tenant=acme, data=data, acting_user=PLANTER)
        campaign = begin(acme)
        with connection.cursor() as cursor:
            cursor.execute("SELECT (now() AT TIME ZONE %s)::date", [acme.timezone])
            (today,) = cursor.fetchone() or ()
        assert (campaign.quarter, campaign.name) == quarter_of(today)
        assert campaign.due_on == today + timedelta(days=3)

    @pytest.mark.parametrize(
        ("on", "quarter"),
        [(date(2026, 1, 1), "2026-Q1"), (date(2026, 3, 31), "2026-Q1"), (date(2026, 4, 1), "2026-Q2"),
         (date(2026, 9, 30), "2026-Q3"), (date(2026, 12, 31), "2026-Q4")],
    )  # fmt: skip
    def test_knows_the_quarters(self, on: date, quarter: str) -> None:
        assert quarter_of(on)[0] == quarter

    def test_waits_until_the_one_before_is_finished(self, acme: Tenant) -> None:
        begin(acme)
        with pytest.raises(ReviewRunning, match="is not finished"):
            begin(acme)

    def test_beside_the_quarters_own_is_called_extra(self, acme: Tenant, partner: Member) -> None:
        campaign = begin(acme)
        with context.tenant_wide(acme.id):
            ReviewCampaign.objects.filter(pk=campaign.pk).update(closed_at=timezone.now())
        assert begin(acme).quarter == ""

    def test_of_nobody_is_refused(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            Member.objects.update(is_active=False)
        with pytest.raises(ReviewEmpty):
            begin(acme)

    def test_needs_the_right_and_the_attempt_is_on_record(
        self, acme: Tenant, analyst: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        for who in (analyst, stranger):
            with pytest.raises(Forbidden, match=r"access\.review"):
                begin(acme, actor_of(who))
        assert client_of(analyst).post(f"{REVIEWS}start/").status_code == 403
        assert [event.actor_label for event in events(acme, "rbac.role_change_denied")] == [analyst.email]


class TestTheCalendar:
    def test_begins_each_quarter_once_for_all_workspaces(
        self, acme: Tenant, beta: Tenant, partner: Member
    ) -> None:
        for tenant in (acme, beta, partner.tenant):
            aged(tenant, 100)
        assert [tend().started for _ in range(2)] == [2, 0]
        with context.platform("look", PLANTER):
            found = set(ReviewCampaign.objects.values_list("tenant__slug", "started_by"))
            assert found == {("acme-corp", "rbac.reviews"), ("beta-inc", "rbac.reviews")}
            assert ReviewItem.objects.filter(tenant=beta).count() == 2
        assert len(events(acme, "rbac.review_started")) == len(events(beta, "rbac.review_started")) == 1

    def test_leaves_young_and_closed_workspaces_alone(self, acme: Tenant, beta: Tenant) -> None:
        aged(beta, 100)
        with context.platform("switch off", PLANTER):
            Tenant.objects.filter(pk=beta.pk).update(is_active=False)
        assert tend().started == 0

    def test_begins_beside_one_that_is_overdue(self, acme: Tenant) -> None:
        aged(acme, 400)
        campaign = begin(acme)
        with context.tenant_wide(acme.id):
            ReviewCampaign.objects.filter(pk=campaign.pk).update(quarter="2020-Q1")
        assert tend().started == 1

    def test_takes_a_handful_of_queries_however_many_workspaces(self, acme: Tenant, beta: Tenant) -> None:
        aged(acme, 100)
        aged(beta, 100)
        with CaptureQueriesContext(connection) as queries:
            tend()
        reads = [
            query["sql"]
            for query in queries
            if query["sql"].startswith("SELECT") and "rbac_rolegrant" in query["sql"]
        ]
        assert len(reads) == 2  # once for the stock of both workspaces, once to settle

    def test_has_the_job_that_does_it(self) -> None:

        assert jobs.all_jobs()["rbac.reviews"].every == timedelta(hours=1)


class TestDeciding:
    def test_keeping_changes_nothing_but_the_record(self, acme: Tenant, admin: Member, rep: Member) -> None:
        begin(acme)
        item = decided(item_of(rep), KEEP, actor_of(admin), "Still sells")
        assert (item.decision, item.reason, item.decided_by) == ("keep", "Still sells", admin.email)
        assert is_active(rep)
        (event,) = events(acme, "rbac.review_item_decided")
        assert (event.actor_label, event.target_label) == (admin.email, rep.email)
        assert "Rep of rita@acme.test was kept: Still sells" in event.sentence

    def test_revoking_a_membership_ends_access_and_what_hangs_on_it(
        self, acme: Tenant, admin: Member, rep: Member
    ) -> None:
        give(rep, "viewer")
        begin(acme)
        decided(item_of(rep), REVOKE, actor_of(admin), "Has left")
        assert not is_active(rep)
        assert item_of(rep, "grant").decision == "ended"
        (event,) = events(acme, "tenants.member_deactivated")
        assert event.facts["reason"].endswith("Has left")

    def test_revoking_a_grant_leaves_the_person(self, acme: Tenant, admin: Member, rep: Member) -> None:
        grant = give(rep, "viewer")
        begin(acme)
        decided(item_of(rep, "grant"), REVOKE, actor_of(admin), "No longer needed")
        with context.tenant_wide(acme.id):
            grant.refresh_from_db()
        assert grant.revoked_by == admin.email
        assert is_active(rep)
        assert item_of(rep).decision == ""

    def test_revoking_a_share_ends_it_and_leaves_the_person(
        self, acme: Tenant, admin: Member, rep: Member
    ) -> None:
        with context.tenant_wide(acme.id):
            subject = Subject(ShareKind.DEAL, "salesforce", "006A", "Northwind renewal", 1, None)
            share = share_give(
                tenant=acme,
                subject=subject,
                member=rep,
                access=Access.VIEW,
                reason="covers",
                acting_user=PLANTER,
            )
        begin(acme)
        item = item_of(rep, "share")
        assert item.label == "Deal “Northwind renewal” to view"
        decided(item, REVOKE, actor_of(admin), "Not needed")
        with context.tenant_wide(acme.id):
            share.refresh_from_db()
        assert (share.revoked_by, share.revoked_reason.endswith("Not needed")) == (admin.email, True)
        assert is_active(rep)

    def test_of_a_higher_role_is_refused_and_leaves_the_line_open(
        self, acme: Tenant, admin: Member, second_admin: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        item = item_of(second_admin)
        answer = client_of(admin).post(
            f"{REVIEWS}{campaign.id}/items/{item.id}/", {"decision": "revoke", "reason": "Too many admins"}
        )
        assert answer.status_code == 403
        assert "only roles below the own level" in answer.content.decode()
        assert item_of(second_admin).decision == ""
        assert is_active(second_admin)
        assert [e.facts["refused_as"] for e in events(acme, "rbac.role_change_denied")] == [
            "rbac.role_too_high"
        ]
        decided(item, KEEP, actor_of(admin))

    def test_by_a_reviewer_who_may_not_deactivate_can_only_keep(
        self, acme: Tenant, admin: Member, analyst: Member, rep: Member
    ) -> None:
        draft = RoleDraft("Reviewer", "", 6, Sight.OWN, frozenset({"access.review"}))
        with context.tenant_wide(acme.id):
            custom_role_create(tenant=acme, draft=draft, acting_user=actor_of(admin))
        give(analyst, "reviewer")
        begin(acme)
        with pytest.raises(Forbidden, match=r"people\.deactivate"):
            decided(item_of(rep), REVOKE, actor_of(analyst))
        assert decided(item_of(admin), KEEP, actor_of(analyst)).decision == "keep"

    def test_about_oneself_is_refused_and_on_record(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        item = item_of(admin)
        with pytest.raises(OwnAccess, match="Nobody reviews their own access"):
            decided(item, KEEP, actor_of(admin))
        address = f"{REVIEWS}{campaign.id}/items/{item.id}/"
        assert client_of(admin).post(address, {"decision": "keep", "reason": "I am fine"}).status_code == 403
        assert [e.facts["refused_as"] for e in events(acme, "rbac.role_change_denied")] == ["rbac.own_access"]

    def test_about_an_operators_own_membership_is_refused(self, acme: Tenant, admin: Member) -> None:
        begin(acme)
        operator = Actor.operator(user_id=admin.user_id, email=admin.email)
        with pytest.raises(OwnAccess):
            decided(item_of(admin), KEEP, operator)

    def test_about_oneself_is_refused_by_the_database_too(self, acme: Tenant, rep: Member) -> None:
        begin(acme)
        item = item_of(rep)
        with pytest.raises(IntegrityError), transaction.atomic(), context.tenant_wide(acme.id):
            ReviewItem.objects.filter(pk=item.pk).update(
                decision="keep", reason="x", decided_at=timezone.now(), decided_by_member=rep.id
            )

    def test_twice_says_who_was_first(
        self, acme: Tenant, admin: Member, second_admin: Member, rep: Member
    ) -> None:
        begin(acme)
        item = item_of(rep)
        decided(item, KEEP, actor_of(admin))
        with pytest.raises(ReviewItemDecided, match=f"kept by {admin.email}"):
            decided(item, REVOKE, actor_of(second_admin))
        assert is_active(rep)

    def test_about_what_ended_meanwhile_is_not_needed(self, acme: Tenant, admin: Member, rep: Member) -> None:
        grant = give(rep, "viewer")
        begin(acme)
        with context.tenant_wide(acme.id):
            role_grant_end(grant=grant, reason="over", acting_user=PLANTER)
        with pytest.raises(ReviewItemEnded, match="ended already and needs no decision"):
            decided(item_of(rep, "grant"), REVOKE, actor_of(admin))
        assert tend().ended == 1
        assert item_of(rep, "grant").decision == "ended"

    def test_about_a_base_role_that_was_changed_meanwhile_is_not_needed(
        self, acme: Tenant, admin: Member, rep: Member
    ) -> None:
        begin(acme)
        with context.tenant_wide(acme.id):
            member_role_change(member=rep, role=RoleCode.REVOPS_ANALYST, acting_user=PLANTER)
        with pytest.raises(ReviewItemEnded):
            decided(item_of(rep), REVOKE, actor_of(admin))
        assert is_active(rep)

    @pytest.mark.parametrize("reason", ["", "   ", "x" * 301, "a\x00b"])
    def test_needs_a_reason(
        self, reason: str, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        item = item_of(rep)
        address = f"{REVIEWS}{campaign.id}/items/{item.id}/"
        answer = client_of(admin).post(address, {"decision": "keep", "reason": reason})
        assert answer.status_code == 400
        assert item_of(rep).decision == ""

    def test_of_a_shared_thing_goes_through_the_room_that_knows_it(
        self, acme: Tenant, admin: Member, rep: Member
    ) -> None:
        shared: set[str] = {"deal-1"}

        def held(tenant_ids: Any, members: Any) -> list[Line]:
            return [
                Line(tenant_id=acme.id, member_id=rep.id, subject=one, label="Deal 1")
                for one in sorted(shared)
            ]

        def end(item: ReviewItem, reason: str, acting_user: Actor) -> str:
            shared.discard(item.subject)
            return "The share ended"

        sources.register(Source("test_share", "Share", 9, held, end))
        try:
            begin(acme)
            item = decided(item_of(rep, "test_share"), REVOKE, actor_of(admin))
        finally:
            del sources._sources["test_share"]
        assert (shared, item.outcome, item.level) == (set(), "The share ended", None)

    def test_everything_closes_the_review(self, acme: Tenant, beta: Tenant, stranger: Member) -> None:
        campaign = begin(beta)
        with context.tenant_wide(beta.id):
            ids = list(ReviewItem.objects.values_list("pk", flat=True))
            done = review_keep_all(campaign=campaign, item_ids=ids, reason="All known", acting_user=PLANTER)
            campaign.refresh_from_db()
        assert (done.kept, done.skipped) == (2, [])
        assert campaign.closed_by == PLANTER.label
        (event,) = events(beta, "rbac.review_closed")
        assert (event.facts["kept"], event.facts["revoked"], event.facts["ended"]) == (2, 0, 0)

    def test_closes_also_when_the_last_thing_ends_by_itself(
        self, acme: Tenant, beta: Tenant, beta_rep: Member
    ) -> None:
        campaign = begin(beta)
        with context.tenant_wide(beta.id):
            ids = list(ReviewItem.objects.exclude(member=beta_rep).values_list("pk", flat=True))
            review_keep_all(campaign=campaign, item_ids=ids, reason="Known", acting_user=PLANTER)
            member_deactivate(member=beta_rep, reason="gone", acting_user=PLANTER)
        tend()
        with context.tenant_wide(beta.id):
            campaign.refresh_from_db()
        assert campaign.closed_by == "rbac.reviews"
