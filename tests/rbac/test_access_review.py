"""Access reviews: from the start of a campaign by hand or by the calendar to its evidence, through the doors that people use."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from alerts.evaluation import evaluate
from alerts.models import Alert, Delivery
from audit.models import Event
from isolation import context
from isolation.actors import Actor
from isolation.errors import Forbidden
from rbac.custom_roles import RoleDraft, custom_role_create
from rbac.errors import OwnAccess, ReviewEmpty, ReviewItemDecided, ReviewItemEnded, ReviewRunning
from rbac.grants import Term, role_grant, role_grant_end
from rbac.models import RoleGrant, Sight
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.review import sources
from rbac.review.quarters import reviews_tend
from rbac.review.selectors import items_of
from rbac.review.services import quarter_of, review_decide, review_keep_all, review_start
from rbac.review.sources import Line, Source
from rbac.selectors import actor_of
from tenants.models import Member, RoleCode, Tenant
from tenants.selectors import settings_of
from tenants.services import member_deactivate, member_role_change, settings_save
from tests import cast
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member | User], Client]
REVIEWS = "/w/acme-corp/settings/access-review/"
KEEP, REVOKE = ReviewDecision.KEEP, ReviewDecision.REVOKE


def give(member: Member, role: str, until: Any = None) -> RoleGrant:
    with context.tenant_wide(member.tenant_id):
        return role_grant(
            member=member, role=role, term=Term(until=until), reason="Covers for Otto", acting_user=PLANTER
        )


def begin(tenant: Tenant, by: Actor = PLANTER) -> ReviewCampaign:
    with context.tenant_wide(tenant.id):
        return review_start(tenant=tenant, acting_user=by)


def item_of(member: Member, source: str = "base_role") -> ReviewItem:
    with context.tenant_wide(member.tenant_id):
        found: ReviewItem = ReviewItem.objects.get(member=member, source=source)
        return found


def decided(item: ReviewItem, decision: ReviewDecision, by: Actor, reason: str = "test") -> ReviewItem:
    with context.tenant_wide(item.tenant_id):
        return review_decide(item=item, decision=decision, reason=reason, acting_user=by)


def tend(by: str = "rbac.reviews") -> Any:
    with context.platform("tend reviews", Actor.system(by)):
        return reviews_tend(Actor.system(by))


def events(tenant: Tenant, code: str) -> list[Event]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.filter(code=code).order_by("at", "id"))


def is_active(member: Member) -> bool:
    with context.tenant_wide(member.tenant_id):
        return bool(Member.objects.get(pk=member.pk).is_active)


def aged(tenant: Tenant, days: int) -> None:
    """As if the workspace had been made, or its reviews begun, that many days earlier."""
    with context.platform("age", PLANTER):
        Tenant.objects.filter(pk=tenant.pk).update(created_at=timezone.now() - timedelta(days=days))


def due(campaign: ReviewCampaign, in_days: int) -> None:
    with context.tenant_wide(campaign.tenant_id):
        ReviewCampaign.objects.filter(pk=campaign.pk).update(
            due_on=timezone.now().astimezone().date() + timedelta(days=in_days)
        )


@pytest.fixture
def second_admin(analyst: Member) -> Member:
    with context.tenant_wide(analyst.tenant_id):
        return member_role_change(member=analyst, role=RoleCode.CUSTOMER_ADMIN, acting_user=PLANTER)


class TestStarting:
    def test_puts_everything_that_is_held_before_reviewers(self, acme: Tenant, rep: Member) -> None:
        draft = RoleDraft("Deal desk", "Prices.", 6, Sight.TEAM, frozenset({"pipeline.view", "exports.run"}))
        with context.tenant_wide(acme.id):
            custom_role_create(tenant=acme, draft=draft, acting_user=PLANTER)
        end = timezone.now() + timedelta(days=30)
        give(rep, "deal-desk", end)
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
        from isolation import jobs

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

        def held(tenant_ids: Any) -> list[Line]:
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


class TestThePages:
    def page(self, client: Client, campaign: ReviewCampaign, query: str = "") -> Any:
        return client.get(f"{REVIEWS}{campaign.id}/?{query}").context["page"]

    def test_go_from_the_start_to_the_evidence(
        self,
        acme: Tenant,
        admin: Member,
        second_admin: Member,
        rep: Member,
        other_rep: Member,
        client_of: ClientOf,
    ) -> None:
        give(rep, "viewer")
        client = client_of(admin)
        assert "No review yet" in client.get(REVIEWS).content.decode()
        address = client.post(f"{REVIEWS}start/")["Location"]
        shown = client.get(address).content.decode()
        assert "8 lines to decide" in shown
        client.post(f"{address}items/{item_of(other_rep).id}/", {"decision": "revoke", "reason": "Has left"})
        assert not is_active(other_rep)
        page = client.get(address).context["page"]
        ticked = [row.id for row in page.table.rows if row.decide_url]
        answer = client.post(f"{address}keep/?sort=name", {"reason": "Checked with Hugo", "items": ticked})
        assert answer["Location"] == f"{address}?sort=name"
        assert "decided by somebody else: Anna Analyst" in client.get(address).content.decode()
        own = item_of(admin)
        client_of(second_admin).post(f"{address}items/{own.id}/", {"decision": "keep", "reason": "Runs it"})
        page = client.get(address).context["page"]
        assert page.lead.startswith("Complete since")
        assert [stat.value for stat in page.stats] == ["0", "7", "1", "0"]
        assert client.get(REVIEWS).context["page"].table.rows[0].state.label == "Complete"

    def test_group_what_is_held_by_person_with_what_is_open_first(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        give(rep, "viewer")
        campaign = begin(acme)
        for source in ("base_role", "grant"):
            decided(item_of(rep, source), KEEP, PLANTER)
        rows = self.page(client_of(admin), campaign).table.rows
        heads = [row.head.name for row in rows if row.head]
        assert heads == [
            "Ada Admin",
            "Anna Analyst",
            "Dina Rep",
            "Hugo Head",
            "Mona Manager",
            "Otto Rep",
            "Rita Rep",
        ]
        assert [badge.label for badge in rows[-2].head.roles] == ["Rep", "Viewer"]
        assert rows[-1].head is None

    def test_say_who_else_decides_about_the_reader(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        page = self.page(client_of(admin), begin(acme))
        assert page.table.rows[0].decide_url == ""
        assert "nobody else may review access here yet" in page.alone

    def test_filter_search_and_sort(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        give(rep, "viewer")
        with context.tenant_wide(acme.id):
            Member.objects.filter(pk=rep.pk).update(last_seen_on=date(2020, 1, 1))
        campaign = begin(acme)
        decided(item_of(rep, "grant"), KEEP, PLANTER)
        client = client_of(admin)

        def found(query: str) -> list[str]:
            return [f"{row.person}: {row.label}" for row in self.page(client, campaign, query).table.rows]

        assert found("q=viewer") == found("state=keep") == found("kind=grant") == ["Rita Rep: Viewer"]
        assert found("seen=quiet&q=rita") == ["Rita Rep: Rep", "Rita Rep: Viewer"]
        assert found("seen=never&q=rita") == []
        assert found("sort=level")[0] == "Ada Admin: Admin"
        assert found("sort=-seen")[:1] == ["Rita Rep: Viewer"]
        assert client.get(f"{REVIEWS}{campaign.id}/?state=perhaps").status_code == 400

    def test_page_through_many_lines_without_losing_one(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        for member in ("analyst", "rep", "manager"):
            for role in ("viewer", "support"):
                give(cast.member_of(member), role)
        campaign = begin(acme)
        with context.tenant_wide(acme.id):
            from pages.keyset import rows_of

            seen, cursor = [], ""
            while True:
                rows = rows_of(
                    items_of(campaign),
                    order=("rank", "label_key", "member_id", "place", "id"),
                    cursor=cursor,
                    size=4,
                )
                seen += [row.id for row in rows.rows]
                cursor = rows.next
                if not cursor:
                    break
            assert len(seen) == len(set(seen)) == ReviewItem.objects.count() == 13

    def test_mark_what_ended_meanwhile_at_once(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        grant = give(rep, "viewer")
        campaign = begin(acme)
        with context.tenant_wide(acme.id):
            role_grant_end(grant=grant, reason="over", acting_user=PLANTER)
        (row,) = self.page(client_of(admin), campaign, "kind=grant").table.rows
        assert (row.state.label, row.decide_url) == ("Ended already", "")

    def test_keep_what_can_be_kept_and_tell_about_the_rest(
        self, acme: Tenant, admin: Member, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        decided(item_of(other_rep), KEEP, PLANTER)
        ids = [str(item_of(one).id) for one in (admin, rep, other_rep)]
        answer = client_of(admin).post(
            f"{REVIEWS}{campaign.id}/keep/", {"reason": "Known", "items": ids}, follow=True
        )
        shown = answer.content.decode()
        assert "1 line kept." in shown
        assert "was decided already: kept by tests.cast" in shown
        assert "Nobody reviews their own access" in shown
        assert item_of(rep).decided_by == admin.email
        assert item_of(admin).decision == ""

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"reason": "x"}, "Tick the lines"),
            ({"reason": "x", "items": ["no"]}, "is not a line"),
            ({"items": []}, "Say why"),
        ],
    )
    def test_say_what_is_missing(
        self, given: Any, sentence: str, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        answer = client_of(admin).post(f"{REVIEWS}{campaign.id}/keep/", given)
        assert answer.status_code == 400
        assert sentence in answer.content.decode()

    def test_are_not_there_for_another_workspace(
        self, acme: Tenant, stranger: Member, rep: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        client = client_of(stranger)
        item = item_of(rep)
        for place in ("", "export.json", f"items/{item.id}/"):
            assert client.get(f"{REVIEWS}{campaign.id}/{place}").status_code in (404, 405)
            assert client.get(f"/w/beta-inc/settings/access-review/{campaign.id}/{place}").status_code in (
                404,
                405,
            )
        answer = client.post(
            f"/w/beta-inc/settings/access-review/{campaign.id}/items/{item.id}/",
            {"decision": "revoke", "reason": "x"},
        )
        assert answer.status_code == 404
        assert is_active(rep)


class TestOverdueReviews:
    def alerts(self, tenant: Tenant) -> dict[str, float]:
        evaluate(PLANTER)
        with context.tenant_wide(tenant.id):
            return dict(Alert.objects.filter(closed_at=None).values_list("rule_name", "value"))

    def test_are_told_a_week_before_and_when_they_are_late(self, acme: Tenant, beta: Tenant) -> None:
        campaign = begin(acme)
        begin(beta)
        assert self.alerts(acme) == {}
        due(campaign, 5)
        assert self.alerts(acme) == {"access_review_due": 7.0}
        due(campaign, -2)
        assert self.alerts(acme) == {"access_review_due": 7.0, "access_review_overdue": 7.0}
        assert self.alerts(beta) == {}
        with context.tenant_wide(acme.id):
            mails = Delivery.objects.filter(channel="email").values_list("alert__rule_name", "recipient")
            assert sorted(mails) == [
                ("access_review_due", "ada@acme.test"), ("access_review_overdue", "ada@acme.test"),
            ]  # fmt: skip

    def test_stop_alerting_when_everything_is_decided(self, acme: Tenant) -> None:
        campaign = begin(acme)
        due(campaign, -2)
        assert "access_review_overdue" in self.alerts(acme)
        with context.tenant_wide(acme.id):
            ids = list(ReviewItem.objects.values_list("pk", flat=True))
            review_keep_all(campaign=campaign, item_ids=ids, reason="Known", acting_user=PLANTER)
        assert self.alerts(acme) == {}

    def test_stand_out_on_the_list(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        due(begin(acme), -2)
        page = client_of(admin).get(REVIEWS).context["page"]
        assert page.table.rows[0].state.label == "Overdue"
        assert page.lead == "7 lines should have been decided by now."


class TestTheEvidence:
    def test_holds_every_line_with_its_decision_and_a_checksum_that_fits(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        decided(item_of(rep), KEEP, actor_of(admin), "=Still sells")
        client = client_of(admin)
        body = json.loads(client.get(f"{REVIEWS}{campaign.id}/export.json").content)
        text = json.dumps(body["items"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert body["sha256"] == hashlib.sha256(text.encode()).hexdigest()
        assert (body["campaign"]["name"], body["campaign"]["workspace"]) == (campaign.name, "acme-corp")
        (row,) = [item for item in body["items"] if item["email"] == rep.email]
        assert (row["decision"], row["reason"], row["decided_by"]) == ("keep", "=Still sells", admin.email)
        assert row["also_known"] == {"CRM": "Rita Rep (salesforce)"}
        assert {item["decision"] for item in body["items"]} == {"keep", "undecided"}
        (event,) = events(acme, "rbac.review_exported")
        assert event.facts == {"form": "JSON", "items": 7, "sha256": body["sha256"]}

    def test_comes_as_a_safe_sheet(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        campaign = begin(acme)
        decided(item_of(rep), KEEP, PLANTER, "=1+1")
        answer: Any = client_of(admin).get(f"{REVIEWS}{campaign.id}/export.csv")
        rows = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        assert len(rows) == 7
        assert [row["reason"] for row in rows if row["email"] == rep.email] == ["'=1+1"]
        assert len(events(acme, "rbac.review_exported")) == 1


class TestTheApi:
    API = "/api/v1/w/acme-corp/access-reviews/"

    def test_starts_lists_and_decides(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        started = client.post(self.API, {}, content_type="application/json")
        assert (started.status_code, started.json()["items"]) == (201, 7)
        address = f"{self.API}{started.json()['id']}/items/"
        items = {one["email"]: one for one in client.get(address).json()["results"]}
        wanted = {"decision": "revoke", "reason": "Has left"}
        decide = f"{address}{items[rep.email]['id']}/decide/"
        answer = client.post(decide, wanted, content_type="application/json")
        assert (answer.status_code, answer.json()["outcome"]) == (200, "Access to the workspace ended")
        assert not is_active(rep)
        again = client.post(decide, wanted, content_type="application/json")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "rbac.review_item_decided")
        own = client.post(
            f"{address}{items[admin.email]['id']}/decide/", wanted, content_type="application/json"
        )
        assert (own.status_code, own.json()["error"]["code"]) == (403, "rbac.own_access")
        (listed,) = client.get(self.API).json()["results"]
        assert listed["undecided"] == 6

    def test_decides_for_a_desk_admin_who_sees_no_deals(
        self, acme: Tenant, distant_rep: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(acme.id):
            member_role_change(member=distant_rep, role=RoleCode.SUPER_ADMIN, acting_user=PLANTER)
        begin(acme)
        item = item_of(rep)
        answer = client_of(distant_rep).post(
            f"{self.API}{item.campaign_id}/items/{item.id}/decide/",
            {"decision": "revoke", "reason": "Has left"},
            content_type="application/json",
        )
        assert answer.status_code == 200


class TestTheCommand:
    def run(self, *arguments: str) -> Any:
        out = StringIO()
        call_command("access_review", "--customer", "acme-corp", "--json", *arguments, stdout=out)
        return json.loads(out.getvalue())

    def test_starts_decides_exports_and_tells(self, acme: Tenant, admin: Member, tmp_path: Path) -> None:
        assert self.run() == []
        (started,) = self.run("--start")
        assert (started["state"], started["items"], started["undecided"]) == ("running", 7, 7)
        item = item_of(admin)
        done = self.run("--decide", str(item.id), "--decision", "keep", "--reason", "Asked the customer")
        assert done["decision"] == "keep"
        for name in ("evidence.json", "evidence.csv"):
            exported = self.run("--export", str(tmp_path / name))
            assert exported["items"] == 7
        assert json.loads((tmp_path / "evidence.json").read_text())["sha256"] == exported["sha256"]
        assert self.run("--status")[0]["undecided"] == 6

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--export", "x.json"), "no access review to export"),
            (("--decide", "nonsense"), "is not the id of an item"),
            (("--decide", "00000000-0000-0000-0000-000000000000"), "There is no item of that id"),
        ],
    )
    def test_says_what_is_wrong(self, arguments: tuple[str, ...], sentence: str, acme: Tenant) -> None:
        with pytest.raises(CommandError, match=sentence):
            call_command("access_review", "--customer", "acme-corp", *arguments, stdout=StringIO())


class TestTheLastVisit:
    def seen(self, member: Member) -> date | None:
        with context.tenant_wide(member.tenant_id):
            on: date | None = Member.objects.get(pk=member.pk).last_seen_on
            return on

    def test_is_noted_once_a_day_and_for_this_workspace_alone(
        self, acme: Tenant, beta: Tenant, rep: Member, client_of: ClientOf
    ) -> None:
        from tenants.services import member_add

        with context.tenant_wide(beta.id):
            there = member_add(
                tenant=beta, user=cast.user_of(rep), role=RoleCode.SALES_REP, acting_user=PLANTER
            )
        client = client_of(rep)
        with CaptureQueriesContext(connection) as first:
            client.get("/w/acme-corp/")
        with CaptureQueriesContext(connection) as second:
            client.get("/w/acme-corp/")
        notes = [sum("last_seen_on = '" in query["sql"] for query in visit) for visit in (first, second)]
        assert notes == [1, 0]
        assert self.seen(rep) is not None
        assert self.seen(there) is None

    def test_is_told_to_reviewers(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(acme.id):
            Member.objects.filter(pk=rep.pk).update(last_seen_on=date(2026, 2, 3))
        campaign = begin(acme)
        shown = client_of(admin).get(f"{REVIEWS}{campaign.id}/").content.decode()
        assert "Last seen 3 Feb 2026" in shown
        assert "No visit on record" in shown
