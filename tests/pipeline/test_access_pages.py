"""Sharing from the pages, and asking who sees a deal: what each reader is shown, may do, and is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client

from audit.models import Event
from crm_sync.models import Opportunity
from isolation import context
from rbac.held import database_now
from rbac.models import Access, BaseRolePeriod, Share
from rbac.selectors import actor_of
from rbac.services import reporting_line_set
from tenants.models import Member
from tenants.services import member_deactivate
from tests.cast import PLANTER
from tests.pipeline.deals import build, make_deal
from tests.pipeline.shares import account_with_deals, end_by_clock, give

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
ROOT = "/w/acme-corp/"


@pytest.fixture
def deal(rep: Member) -> Opportunity:
    made = make_deal(rep, name="Ritas deal")
    build(rep.tenant)
    return made


def address(deal: Opportunity, rest: str = "") -> str:
    return f"{ROOT}deals/{deal.external_id}/{rest}"


def sent(member: Member | str, **changes: Any) -> dict[str, Any]:
    who = member if isinstance(member, str) else str(member.id)
    return {"member": who, "access": "view", "days": "", "until": "", "reason": "They help with it"} | changes


def shares() -> list[Share]:
    with context.platform("look at shares", PLANTER):
        return list(Share.objects.select_related("member").order_by("valid_from", "id"))


def events(code: str) -> list[Event]:
    with context.platform("look at the log", PLANTER):
        return list(Event.objects.filter(code=code))


def page_of(client: Client, where: str) -> Any:
    response = client.get(where)
    assert response.status_code == HTTPStatus.OK, response.content.decode()
    return response.context["page"]


class TestSharingADeal:
    def test_shows_it_to_the_other_at_once_and_to_nobody_else(
        self, deal: Opportunity, rep: Member, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        assert client_of(other_rep).get(address(deal)).status_code == 404
        answer = client_of(rep).post(address(deal, "share/"), sent(other_rep))
        assert (answer.status_code, answer["Location"]) == (302, address(deal))
        assert page_of(client_of(other_rep), address(deal)).title == "Ritas deal"
        assert client_of(distant_rep).get(address(deal)).status_code == 404

    def test_with_the_team_shows_it_to_everyone_below(
        self, deal: Opportunity, distant_rep: Member, head: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client_of(rep).post(address(deal, "share/"), sent(head, with_team="on"))
        assert client_of(distant_rep).get(address(deal)).status_code == 200

    def test_is_told_on_the_page_and_in_the_log(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        client_of(rep).post(address(deal, "share/"), sent(other_rep.email, days="7", access="edit"))
        (line,) = page_of(client_of(rep), address(deal)).sharing.shares
        zone = ZoneInfo(rep.tenant.timezone)
        (share,) = shares()
        assert (line.who, line.access, line.by, line.reason) == (
            "Otto Rep",
            "View and edit",
            "rita@acme.test",
            "They help with it",
        )
        assert share.valid_until is not None
        begun, ends = share.valid_from.astimezone(zone), share.valid_until.astimezone(zone)
        assert (ends.date() - begun.date(), ends.hour) == (timedelta(days=7), begun.hour)
        (event,) = events("rbac.share_given")
        assert event.actor_label == "rita@acme.test"

    def test_takes_a_moment_in_the_workspaces_time_zone(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        local = (database_now() + timedelta(days=3)).astimezone(ZoneInfo(rep.tenant.timezone))
        local = local.replace(hour=12, minute=30, second=0, microsecond=0)
        client_of(rep).post(address(deal, "share/"), sent(other_rep, until=f"{local:%Y-%m-%dT%H:%M}"))
        assert [share.valid_until for share in shares()] == [local]

    def test_can_be_looked_at_first_and_nothing_stays_of_it(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(rep).post(address(deal, "share/"), sent(other_rep, preview="1"))
        assert answer.status_code == 200
        assert answer.context["page"].sharing.preview == [
            "Otto Rep would see 1 open deal worth $10,000: Ritas deal."
        ]
        assert (shares(), events("rbac.share_given")) == ([], [])

    def test_offers_active_colleagues_by_name_and_not_oneself(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            member_deactivate(member=other_rep, reason="Left", heir=None, acting_user=PLANTER)
        offered = [
            label
            for _, label in page_of(client_of(rep), address(deal))
            .sharing.form.fields["member"]
            .widget.choices
        ]
        assert {"Dina Rep", "Mona Manager"} <= set(offered)
        assert not {"Otto Rep", "Rita Rep", "Bea Rep"} & set(offered)

    def test_that_would_show_nobody_more_says_so(
        self, deal: Opportunity, rep: Member, manager: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(rep).post(address(deal, "share/"), sent(manager, preview="1"))
        assert answer.context["page"].sharing.preview == ["Nobody would see more: they see it already."]


class TestSharingIsRefused:
    def refusal(self, answer: Any) -> str:
        assert answer.status_code == 400
        form = answer.context["page"].sharing.form
        return " ".join(one for errors in form.errors.values() for one in errors)

    def test_with_somebody_of_another_workspace_and_stays_on_record(
        self, deal: Opportunity, rep: Member, beta_rep: Member, client_of: ClientOf
    ) -> None:
        for who in (str(beta_rep.id), beta_rep.email, str(uuid4()), "nobody@acme.test", "\x00"):
            answer = client_of(rep).post(address(deal, "share/"), sent(who))
            assert answer.status_code == 400
        assert shares() == []
        refused = {event.facts["refused_as"] for event in events("rbac.role_change_denied")}
        assert refused == {"rbac.share_two_workspaces"}

    def test_by_who_may_only_look(
        self, deal: Opportunity, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        give(deal, other_rep)
        assert page_of(client_of(other_rep), address(deal)).sharing.form is None
        assert client_of(other_rep).post(address(deal, "share/"), sent(distant_rep)).status_code == 403
        assert [event.facts["refused_as"] for event in events("rbac.role_change_denied")] == [
            "rbac.share_own_rows"
        ]

    def test_for_longer_than_the_own_share(
        self, deal: Opportunity, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        give(deal, other_rep, access=Access.EDIT, until=database_now() + timedelta(days=5))
        client = client_of(other_rep)
        for changes in ({"days": "30"}, {"days": ""}):
            answer = client.post(address(deal, "share/"), sent(distant_rep, **changes))
            assert "cannot be passed on for longer" in self.refusal(answer)
        assert client.post(address(deal, "share/"), sent(distant_rep, days="1")).status_code == 302

    def test_with_who_was_deactivated_or_has_it_already_or_asks(
        self, deal: Opportunity, rep: Member, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        give(deal, distant_rep)
        with context.tenant_wide(rep.tenant_id):
            member_deactivate(member=other_rep, reason="Left", heir=None, acting_user=PLANTER)
        client = client_of(rep)
        for who, part in (
            (other_rep, "is deactivated"), (distant_rep, "is shared with dina@acme.test already"), (rep, "That is you"),
        ):  # fmt: skip
            assert part in self.refusal(client.post(address(deal, "share/"), sent(who)))

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"until": "2020-01-01T10:00"}, "That moment is past"),
            ({"until": "2999-01-01T10:00"}, "more than ten years"),
            ({"until": "soon"}, "valid date"),
            ({"days": "at"}, "Enter the moment of the end"),
            ({"days": "3"}, "3 is not one"),
            ({"access": "own"}, "own is not one"),
            ({"reason": " "}, "Say why"),
            ({"member": ""}, "Choose somebody"),
        ],
    )
    def test_for_what_cannot_be_read(
        self,
        deal: Opportunity,
        rep: Member,
        other_rep: Member,
        client_of: ClientOf,
        changes: dict[str, str],
        part: str,
    ) -> None:
        assert part in self.refusal(client_of(rep).post(address(deal, "share/"), sent(other_rep) | changes))
        assert shares() == []


class TestTheEndOfAShare:
    def test_by_its_giver_hides_the_deal_at_once(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        share = give(deal, other_rep)
        answer = client_of(rep).post(f"{ROOT}shares/{share.id}/end/", {"reason": "Done"})
        assert (answer.status_code, answer["Location"]) == (302, address(deal))
        assert client_of(other_rep).get(address(deal)).status_code == 404
        (line,) = page_of(client_of(rep), address(deal)).sharing.earlier
        assert "by rita@acme.test: Done" in line.ended

    def test_a_second_time_is_refused_and_on_record(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        share = give(deal, other_rep)
        client = client_of(rep)
        statuses = [
            client.post(f"{ROOT}shares/{share.id}/end/", {"reason": "Done"}).status_code for _ in range(2)
        ]
        assert statuses == [302, 400]
        assert [event.facts["refused_as"] for event in events("rbac.role_change_denied")] == [
            "rbac.share_ended"
        ]

    def test_is_for_holder_giver_owner_and_who_sees_all(
        self, deal: Opportunity, rep: Member, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        share = give(deal, other_rep)
        end = f"{ROOT}shares/{share.id}/end/"
        assert client_of(distant_rep).post(end, {"reason": "Envy"}).status_code == 403
        assert client_of(other_rep).post(end, {"reason": "Not mine"})["Location"] == f"{ROOT}shares/"
        assert client_of(rep).post(f"{ROOT}shares/{uuid4()}/end/", {"reason": "x"}).status_code == 404

    def test_by_time_needs_no_job(self, deal: Opportunity, other_rep: Member, client_of: ClientOf) -> None:
        """The clock is asked at every request: a page that was there is gone in the second after."""
        share = give(deal, other_rep)
        client = client_of(other_rep)
        end_by_clock(share, database_now() + timedelta(seconds=1))
        assert client.get(address(deal)).status_code == 200
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1.1)")
        assert client.get(address(deal)).status_code == 404
        assert page_of(client, f"{ROOT}shares/?state=ended").table.rows[0].state.label == "Ended"


class TestAnAccount:
    def test_has_a_page_with_the_deals_that_the_reader_sees(
        self, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        account = account_with_deals(rep, "First", "Second")
        make_deal(other_rep, name="Ottos", account_id=account.id)
        page = page_of(client_of(rep), f"{ROOT}accounts/{account.external_id}/")
        assert {deal.name for deal in page.deals} == {"First", "Second"}
        assert client_of(other_rep).get(f"{ROOT}accounts/{account.external_id}/").status_code == 404

    def test_is_shared_with_its_owners_deals_and_with_no_others(
        self, rep: Member, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        account = account_with_deals(rep, "First", "Second")
        make_deal(other_rep, name="Ottos", account_id=account.id)
        where = f"{ROOT}accounts/{account.external_id}/"
        preview = client_of(rep).post(f"{where}share/", sent(distant_rep, preview="1"))
        assert preview.context["page"].sharing.preview[0].startswith("Dina Rep would see 2 open deals")
        assert client_of(rep).post(f"{where}share/", sent(distant_rep)).status_code == 302
        page = page_of(client_of(distant_rep), where)
        assert ({deal.name for deal in page.deals}, page.sharing.form) == ({"First", "Second"}, None)


class TestTheListOfShares:
    @pytest.fixture
    def given(self, rep: Member, other_rep: Member, distant_rep: Member, head: Member) -> None:
        for name, member, how in (
            ("Alpha", other_rep, False), ("Beta", head, True), ("Gamma", distant_rep, False),
        ):  # fmt: skip
            give(make_deal(rep, name=name), member, acting_user=actor_of(rep), with_team=how)

    def rows(self, client: Client, query: str = "") -> list[str]:
        return [row.what for row in page_of(client, f"{ROOT}shares/?{query}").table.rows]

    def test_is_with_me_by_me_or_all(
        self, given: None, rep: Member, distant_rep: Member, admin: Member, client_of: ClientOf
    ) -> None:
        assert self.rows(client_of(distant_rep)) == ["Gamma", "Beta"]
        assert self.rows(client_of(rep)) == []
        assert self.rows(client_of(rep), "whose=by_me&sort=what") == ["Alpha", "Beta", "Gamma"]
        assert self.rows(client_of(admin), "sort=-what") == ["Gamma", "Beta", "Alpha"]
        assert self.rows(client_of(rep), "whose=by_me&q=otto") == ["Alpha"]

    def test_of_all_is_for_who_sees_the_whole_workspace(
        self, given: None, rep: Member, client_of: ClientOf
    ) -> None:
        for where in ("shares/", "shares/export/"):
            assert client_of(rep).get(f"{ROOT}{where}?whose=all").status_code == 400

    def test_leaves_as_a_file_and_that_is_on_record(
        self, given: None, rep: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(rep).get(f"{ROOT}shares/export/?whose=by_me&sort=what")
        text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["name"], row["with"], row["state"]) for row in rows] == [
            ("Alpha", "Otto Rep", "in force"), ("Beta", "Hugo Head", "in force"), ("Gamma", "Dina Rep", "in force"),
        ]  # fmt: skip
        assert len(events("pipeline.shares_exported")) == 1

    def test_pages_through_every_order(
        self, rep: Member, other_rep: Member, admin: Member, client_of: ClientOf
    ) -> None:
        made = [make_deal(rep, name=f"Deal {n:02}") for n in range(53)]
        for n, each in enumerate(made):
            give(each, other_rep, until=database_now() + timedelta(days=n) if n % 3 else None)
        for sort in ("since", "-since", "what", "-what", "until", "-until"):
            first = page_of(client_of(admin), f"{ROOT}shares/?sort={sort}").table
            second = page_of(client_of(admin), first.next_url).table
            names = [row.what for row in (*first.rows, *second.rows)]
            assert (len(names), len(set(names))) == (53, 53)


class TestWhySomebodySeesADeal:
    def test_the_page_tells_its_reader(
        self,
        deal: Opportunity,
        rep: Member,
        manager: Member,
        admin: Member,
        other_rep: Member,
        client_of: ClientOf,
    ) -> None:
        give(deal, other_rep)
        for who, why in (
            (rep, "because it is your own: its CRM owner is Rita Rep."),
            (manager, "because it is Rita Rep's, who reports to you, and your role shows your team's deals."),
            (admin, "because a role of yours shows every deal of the workspace."),
            (other_rep, f"because it is shared with you by {PLANTER.label} (view), without an end."),
        ):
            assert page_of(client_of(who), address(deal)).own_reasons == f"You see this deal {why}"

    def test_is_answered_about_one(
        self, deal: Opportunity, manager: Member, distant_rep: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client = client_of(manager)
        seen = page_of(client, address(deal, f"access/?member={rep.id}"))
        assert seen.one.reasons == ("The deal is their own: its CRM owner is Rita Rep.",)
        unseen = page_of(client, address(deal, f"access/?member={distant_rep.email}"))
        assert unseen.lead == "Dina Rep does not see “Ritas deal”."
        assert unseen.one.missing

    def test_is_listed_for_everybody_who_does(
        self, deal: Opportunity, manager: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        give(deal, other_rep)
        page = page_of(client_of(manager), address(deal, "access/"))
        names = [one.member.name for one in page.all.seen]
        assert names == sorted(names)
        assert {"Rita Rep", "Otto Rep", "Mona Manager"} <= set(names)
        assert "Dina Rep" not in names
        assert page.lead == f"{len(names)} people see “Ritas deal”."

    def test_leaves_as_a_file_with_names_alone(
        self, deal: Opportunity, manager: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(manager).get(address(deal, "access/export/"))
        text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
        rows = list(csv.reader(io.StringIO(text)))
        assert rows[0] == ["person", "why"]
        assert ["Rita Rep", "The deal is their own: its CRM owner is Rita Rep."] in rows
        assert "@acme.test" not in text
        assert [event.facts["as_of"] for event in events("pipeline.access_list_exported")] == ["now"]

    def test_is_for_those_with_the_right_and_about_what_they_see(
        self, deal: Opportunity, rep: Member, manager: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        dinas = make_deal(distant_rep, name="Dinas deal")
        for where in ("access/", "access/export/"):
            assert client_of(rep).get(address(deal, where)).status_code == 403
            assert client_of(manager).get(address(dinas, where)).status_code == 404
            assert client_of(manager).get(address(deal, where)).status_code == 200

    def test_cannot_be_asked_about_strangers(
        self, deal: Opportunity, admin: Member, beta_rep: Member, client_of: ClientOf
    ) -> None:
        for who in (beta_rep.id, beta_rep.email, "x"):
            answer = client_of(admin).get(address(deal, f"access/?member={who}"))
            assert (answer.status_code, answer.context["page"].one) == (400, None)


class TestThePast:
    def test_is_told_as_it_was(
        self,
        deal: Opportunity,
        rep: Member,
        manager: Member,
        admin: Member,
        other_rep: Member,
        client_of: ClientOf,
    ) -> None:
        zone = ZoneInfo(rep.tenant.timezone)
        with context.platform("make the deal older", PLANTER):
            Opportunity.objects.filter(pk=deal.pk).update(first_seen_at=database_now() - timedelta(days=9))
        share = give(deal, other_rep)
        with context.platform("make the share older", PLANTER):
            Share.objects.filter(pk=share.pk).update(valid_from=database_now() - timedelta(days=5))
            BaseRolePeriod.objects.update(valid_from=database_now() - timedelta(days=30))
        with context.tenant_wide(rep.tenant_id):
            reporting_line_set(member=rep, manager=None, acting_user=PLANTER)
        then = (database_now() - timedelta(days=2)).astimezone(zone)
        client_of(rep).post(f"{ROOT}shares/{share.id}/end/", {"reason": "Done"})
        asked = f"at={then:%Y-%m-%dT%H:%M}"
        page = page_of(client_of(admin), address(deal, f"access/?{asked}&member={other_rep.id}"))
        assert page.one.sentence.startswith("Otto Rep saw “Ritas deal” on ")
        assert page.one.reasons[0].startswith("It was shared with them by ")
        assert "Otto Rep" in [one.member.name for one in page.all.seen]
        now = page_of(client_of(admin), address(deal, "access/"))
        assert not {"Otto Rep", "Mona Manager"} & {one.member.name for one in now.all.seen}

    def test_from_before_the_deal_came_has_nobody_in_it(
        self, deal: Opportunity, admin: Member, client_of: ClientOf
    ) -> None:
        page = page_of(client_of(admin), address(deal, "access/?at=2020-01-01T10:00"))
        assert page.all.seen == ()
        assert page.all.remark.startswith("The deal came here from the CRM on ")

    def test_and_not_the_future_nor_nonsense(
        self, deal: Opportunity, admin: Member, client_of: ClientOf
    ) -> None:
        for at in ("2999-01-01T10:00", "yesterday"):
            answer = client_of(admin).get(address(deal, f"access/?at={at}"))
            assert (answer.status_code, "at" in answer.context["page"].form.errors) == (400, True)
            assert client_of(admin).get(address(deal, f"access/export/?at={at}")).status_code == 400
