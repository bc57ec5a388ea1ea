"""From the CRM to the person: who sees what, how a change arrives, what it sets off, and what it looks like when processes die."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from django.db.models import F

from alerts.models import Alert, Delivery, Notice, Rule
from alerts.services import RuleValues, rule_save
from isolation import context, jobs
from isolation.models import Heartbeat, PeriodicJob
from pipeline.models import DealHealth
from tests import cast
from tests.whole_path.conftest import House, make_due, synced
from tests.whole_path.people import LOGIN, Visitor
from tests.whole_path.processes import until

ALL = "?state=all"


def email_of(key: str) -> str:
    return cast.PEOPLE[key][2]


class TestSigningIn:
    """Over real HTTP, with the first sync done by worker and beat alone."""

    @pytest.mark.parametrize(
        ("who", "owners"),
        [
            ("rep", ["rep"]),
            ("manager", ["manager", "rep", "other_rep"]),
            ("head", ["head", "manager", "rep", "other_rep", "distant_rep"]),
        ],
    )
    def test_shows_a_seller_exactly_the_deals_of_the_tree(
        self, house: House, visitor: Visitor, who: str, owners: list[str]
    ) -> None:
        page = visitor.sign_in(email_of(who))
        assert page.url.path == "/w/acme-corp/"
        expected = house.crm_deals_of("acme", *map(email_of, owners))
        assert expected
        exported = visitor.deals_exported(cast.ACME, ALL)
        assert exported.keys() == expected
        assert {row["owner_email"] for row in exported.values()} <= set(map(email_of, owners))

    @pytest.mark.parametrize("who", ["manager", "rep"])
    def test_lists_each_deal_of_a_seller_once_on_the_pages(
        self, house: House, visitor: Visitor, who: str
    ) -> None:
        visitor.sign_in(email_of(who))
        shown = visitor.deals_on_pages(cast.ACME, ALL)
        assert len(shown) == len(set(shown))
        assert set(shown) == visitor.deals_exported(cast.ACME, ALL).keys()

    @pytest.mark.parametrize("who", ["admin", "analyst"])
    def test_shows_those_who_run_the_workspace_all_of_it(
        self, house: House, visitor: Visitor, who: str
    ) -> None:
        visitor.sign_in(email_of(who))
        exported = visitor.deals_exported(cast.ACME, ALL)
        assert exported.keys() == {row["Id"] for row in house.crm_rows("acme", "Opportunity")}

    def test_leads_a_partner_with_a_key_into_the_own_workspace_only(
        self, house: House, visitor: Visitor
    ) -> None:
        page = visitor.sign_in_by_key(house.access_key)
        assert page.url.path == "/w/gamma-labs/"
        shown = set(visitor.deals_on_pages(cast.PARTNER, ALL))
        assert shown == {row["Id"] for row in house.crm_rows("gamma", "Opportunity")}
        assert visitor.http.get("/w/acme-corp/").status_code == HTTPStatus.NOT_FOUND

    def test_leads_an_operator_to_all_workspaces(self, house: House, visitor: Visitor) -> None:
        page = visitor.sign_in(cast.OPERATOR)
        assert page.url.path == "/platform/"
        assert all(name in page.text for name in ("Acme Corp", "Beta Inc", "Gamma Labs"))

    def test_with_a_wrong_password_says_so(self, house: House, visitor: Visitor) -> None:
        page = visitor.send(LOGIN, login=email_of("rep"), password="wrong")
        assert "not correct" in page.text
        assert visitor.http.get("/w/acme-corp/").url.path == LOGIN

    @pytest.mark.parametrize(
        "address", ["", "deals/", "deals/export/", "alerts/", "queue/", "settings/", "audit/"]
    )
    def test_elsewhere_finds_nothing_at_the_address(
        self, house: House, visitor: Visitor, address: str
    ) -> None:
        visitor.sign_in(email_of("stranger"))
        assert visitor.http.get(f"/w/acme-corp/{address}").status_code == HTTPStatus.NOT_FOUND
        assert visitor.http.get(f"/w/nobodys/{address}").status_code == HTTPStatus.NOT_FOUND

    def test_shows_a_deal_to_its_tree_only(self, house: House, visitor: Visitor) -> None:
        hidden, *_ = house.crm_deals_of("acme", email_of("other_rep"))
        visitor.sign_in(email_of("rep"))
        assert visitor.http.get(f"/w/acme-corp/deals/{hidden}/").status_code == HTTPStatus.NOT_FOUND
        with Visitor(house.web) as above:
            above.sign_in(email_of("manager"))
            assert above.http.get(f"/w/acme-corp/deals/{hidden}/").status_code == HTTPStatus.OK


def in_acme(model: Any, **conditions: Any) -> list[Any]:
    tenant = cast.tenant_of(cast.ACME)
    with context.tenant_wide(tenant.id):
        return list(model.objects.filter(tenant=tenant, **conditions))


def evaluate_again() -> None:
    """Have worker and beat evaluate all rules once more, from its beginning to its end."""
    before = PeriodicJob.objects.get(code="alerts.evaluate").runs
    jobs.wake("alerts.evaluate")
    until("an evaluation", lambda: PeriodicJob.objects.get(code="alerts.evaluate").runs > before)


def deliveries_settled() -> bool:
    return bool(found := in_acme(Delivery)) and all(one.state == "sent" for one in found)


def stale_deals() -> list[DealHealth]:
    return in_acme(DealHealth, is_stale_warning=True)


def watch_for_one_more() -> Rule:
    """Set the rule ``stale_pipeline`` so that one more stale deal trips it."""
    (rule,) = in_acme(Rule, name="stale_pipeline")
    share = (len(stale_deals()) + 0.5) / len(in_acme(DealHealth))
    values = RuleValues(threshold=share, severity="warning", cooldown_minutes=60)
    with context.tenant_wide(rule.tenant_id):
        return rule_save(rule=rule, values=values, acting_user=cast.PLANTER)


class TestAChangeInTheCrm:
    def test_reaches_the_page_and_the_score_in_one_sync_and_sends_one_mail_and_one_notice(
        self, house: House, visitor: Visitor
    ) -> None:
        watch_for_one_more()
        forget_alerts(house)
        evaluate_again()
        assert in_acme(Alert) == []

        visitor.sign_in(email_of("rep"))
        before = next(row for row in visitor.deals_exported(cast.ACME).values() if row["is_stale"] == "False")
        deal = before["deal_id"]
        make_silent(house, deal)
        make_due(cast.ACME)
        until("the scheduled sync", lambda: synced(cast.ACME, 2))

        after = visitor.deals_exported(cast.ACME)[deal]
        assert (after["name"], after["is_stale"]) == ("Renamed in the CRM", "True")
        assert int(after["score"]) < int(before["score"])
        page = visitor.http.get(f"/w/acme-corp/deals/{deal}/").text
        assert "Renamed in the CRM" in page
        assert after["score"] in page

        evaluate_again()
        until("the messages", deliveries_settled)
        evaluate_again()
        assert [alert.rule_name for alert in in_acme(Alert, closed_at=None)] == ["stale_pipeline"]
        assert house.mail.recipients == [email_of("admin")]
        assert len(in_acme(Notice)) == 1
        assert "stale_pipeline" in visitor.http.get("/w/acme-corp/alerts/").text


def forget_alerts(house: House) -> None:
    """Forget what the first sync's pipeline may have set off before the rule was set to its limit."""
    tenant = cast.tenant_of(cast.ACME)
    evaluate_again()
    until("the first messages", lambda: not in_acme(Delivery, state__in=["pending", "sending"]))
    with context.tenant_wide(tenant.id):
        Notice.objects.filter(tenant=tenant).delete()
        Alert.objects.filter(tenant=tenant).delete()
        Rule.objects.filter(tenant=tenant).update(last_fired_at=None)
    house.mail.recipients.clear()


def make_silent(house: House, deal: str) -> None:
    """Rename the deal and take away all that ever happened about it."""
    for name in ("Task", "Event"):
        for row in house.crm_rows("acme", name):
            if row["WhatId"] == deal:
                house.control("acme", "delete", object=name, id=row["Id"])
    fields = {
        "Name": "Renamed in the CRM",
        "LastActivityDate": "2020-01-01",
        "CreatedDate": "2020-01-01T00:00:00.000+0000",
    }
    house.control("acme", "update", object="Opportunity", id=deal, fields=fields)


class TestHealth:
    def test_is_ready_while_all_runs_and_names_what_died(self, house: House) -> None:
        until("readiness", lambda: ready(house).status_code == HTTPStatus.OK)
        age_heartbeats()
        until("a sign of life", lambda: ready(house).status_code == HTTPStatus.OK)

        house.processes.kill("worker", "beat")
        age_heartbeats()
        answer = ready(house)
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        parts = answer.json()["parts"]
        assert {name for name, part in parts.items() if not part["up"]} == {"worker", "beat"}
        assert all("start it again" in parts[name]["reason"] for name in ("worker", "beat"))
        assert httpx.get(f"{house.web}/health/live").status_code == HTTPStatus.OK

        house.processes.start_worker()
        house.processes.start_beat()
        until("readiness after the start", lambda: ready(house).status_code == HTTPStatus.OK)


def ready(house: House) -> httpx.Response:
    return httpx.get(f"{house.web}/health/ready")


def age_heartbeats() -> None:
    """Let an hour have passed since worker and beat were last seen."""
    Heartbeat.objects.update(at=F("at") - timedelta(hours=1))
