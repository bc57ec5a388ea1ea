"""Access reviews through the doors that people use: pages, alerts, evidence, API, command."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts.evaluation import evaluate
from alerts.models import Alert, Delivery
from isolation import context
from pages.keyset import rows_of
from rbac.grants import role_grant_end
from rbac.models_review import ReviewCampaign, ReviewItem
from rbac.review.selectors import items_of
from rbac.review.services import review_keep_all
from rbac.selectors import actor_of
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add, member_role_change
from tests import cast
from tests.cast import PLANTER
from tests.rbac.reviews import (
    KEEP,
    REVIEWS,
    ClientOf,
    begin,
    decided,
    due,
    events,
    give,
    is_active,
    item_of,
)

pytestmark = pytest.mark.django_db


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

        user = cast.user_of(rep)
        with context.tenant_wide(beta.id):
            there = member_add(tenant=beta, user=user, role=RoleCode.SALES_REP, acting_user=PLANTER)
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
