"""The pages of the pipeline: who sees what, with which status, and that bad values are explained."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import connection
from django.test import Client

from audit.models import Event
from isolation import context
from pipeline.errors import SearchTooSlow
from pipeline.listing import CHUNK, DealQuery, time_limited
from pipeline.models import BuildState, DatasetBuild
from tenants.models import Member
from tests.pipeline.deals import add_activity, add_contact, add_stage, ago, build, make_deal, today_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
DEALS = "/w/acme-corp/deals/"


def names_on(page: str, *names: str) -> set[str]:
    return {name for name in names if name in page}


def read(client: Client, address: str, status: HTTPStatus = HTTPStatus.OK) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def sheet(client: Client, address: str) -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == HTTPStatus.OK
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def everyones(rep: Member, other_rep: Member, distant_rep: Member, beta_rep: Member) -> None:
    for member, name in (
        (rep, "Ritas deal"), (other_rep, "Ottos deal"), (distant_rep, "Dinas deal"), (beta_rep, "Betas deal"),
    ):  # fmt: skip
        make_deal(member, name=name)
    for member in (rep, beta_rep):
        build(member.tenant)


class TestWhoSeesWhichDeals:
    @pytest.mark.parametrize(
        ("who", "seen"),
        [
            ("rep", {"Ritas"}),
            ("manager", {"Ritas", "Ottos"}),
            ("head", {"Ritas", "Ottos", "Dinas"}),
            ("analyst", {"Ritas", "Ottos", "Dinas"}),
            ("admin", {"Ritas", "Ottos", "Dinas"}),
        ],
    )
    def test_follows_the_reporting_tree(
        self, request: pytest.FixtureRequest, client_of: ClientOf, everyones: None, who: str, seen: set[str]
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        assert names_on(read(client, DEALS), "Ritas", "Ottos", "Dinas", "Betas") == seen
        assert {row["name"].split()[0] for row in sheet(client, f"{DEALS}export/")} == seen
        home = read(client, "/w/acme-corp/")
        assert f"{len(seen)} open deal" in home

    def test_ends_at_the_workspace(
        self, client_of: ClientOf, everyones: None, stranger: Member, rep: Member
    ) -> None:
        for address in ("/w/acme-corp/", DEALS, f"{DEALS}export/", "/w/acme-corp/datasets/"):
            read(client_of(stranger), address, HTTPStatus.NOT_FOUND)
        assert names_on(read(client_of(stranger), "/w/beta-inc/deals/"), "Ritas", "Betas") == {"Betas"}

    def test_needs_a_sign_in(self) -> None:
        response = Client().get(DEALS)
        assert response.status_code == HTTPStatus.FOUND
        assert "login" in response.headers["Location"]

    def test_hides_one_deal_like_one_that_does_not_exist(
        self, client_of: ClientOf, rep: Member, other_rep: Member, stranger: Member, manager: Member
    ) -> None:
        deal = make_deal(other_rep)
        address = f"{DEALS}{deal.external_id}/"
        hidden = read(client_of(rep), address, HTTPStatus.NOT_FOUND)
        assert "There is no deal of yours here" in hidden
        read(client_of(stranger), address, HTTPStatus.NOT_FOUND)
        read(client_of(stranger), f"/w/beta-inc/deals/{deal.external_id}/", HTTPStatus.NOT_FOUND)
        read(client_of(rep), f"{DEALS}006nothing/", HTTPStatus.NOT_FOUND)
        assert deal.name in read(client_of(manager), address)


class TestFilteringDeals:
    @pytest.fixture
    def browser(self, client_of: ClientOf, admin: Member, rep: Member, other_rep: Member) -> Client:
        today = today_of(rep.tenant)
        make_deal(
            rep, name="Small", amount_minor=50_000, close_on=today + timedelta(days=10), stage="Proposal"
        )
        make_deal(rep, name="Large", amount_minor=9_000_000, close_on=today + timedelta(days=200))
        make_deal(other_rep, name="Silent", created_at=ago(90), last_activity_on=today - timedelta(days=30))
        make_deal(
            other_rep, name="Overdue", close_on=today - timedelta(days=20), account_name="100% Cotton_Co"
        )
        make_deal(rep, name="Bare", amount_minor=None, close_on=None)
        make_deal(rep, name="Gained", stage="Closed Won", is_closed=True, is_won=True)
        make_deal(rep, name="Missed", stage="Closed Lost", is_closed=True)
        build(rep.tenant)
        return client_of(admin)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", "Small Large Silent Overdue Bare"),
            ("state=open", "Small Large Silent Overdue Bare"),
            ("state=closed", "Gained Missed"),
            ("state=won", "Gained"),
            ("state=lost", "Missed"),
            ("state=all", "Small Large Silent Overdue Bare Gained Missed"),
            ("owner=otto@acme.test", "Silent Overdue"),
            ("owner=OTTO@acme.test&owner=rita@acme.test", "Small Large Silent Overdue Bare"),
            ("stage=proposal", "Small"),
            ("stage=Proposal&stage=Discovery", "Small Large Silent Overdue Bare"),
            ("amount_min=500&amount_max=500.00", "Small"),
            ("amount_min=80,000", "Large"),
            ("hygiene=stale", "Silent"),
            ("hygiene=stale_critical", "Silent"),
            ("hygiene=past_close", "Overdue"),
            ("hygiene=past_close&hygiene=stale", ""),
            ("q=cotton", "Overdue"),
            ("q=100%25", "Overdue"),
            ("q=COTTON_c", "Overdue"),
            ("q=_x", ""),
            ("q=small+north", "Small"),
            ("q=lar&state=all", "Large"),
            ("q=arg&state=all", ""),
            ("q=o'+over+100", "Overdue"),
        ],
    )
    def test_keeps_what_fits(self, browser: Client, query: str, expected: str) -> None:
        everything = ("Small", "Large", "Silent", "Overdue", "Bare", "Gained", "Missed")
        shown = {row["name"] for row in sheet(browser, f"{DEALS}export/?{query}")}
        assert shown == set(expected.split())
        page = read(browser, f"{DEALS}?{query}")
        assert names_on(page, *(f">{name}<" for name in everything)) == {
            f">{name}<" for name in expected.split()
        }

    def test_by_close_date_includes_both_ends(self, browser: Client, rep: Member) -> None:
        day = today_of(rep.tenant) + timedelta(days=10)
        assert [row["name"] for row in sheet(browser, f"{DEALS}export/?close_from={day}&close_to={day}")] == [
            "Small"
        ]

    def test_by_band_agrees_with_the_export(self, browser: Client) -> None:
        for band in ("critical", "at_risk", "monitor", "healthy"):
            assert {row["band"] for row in sheet(browser, f"{DEALS}export/?band={band}")} <= {band}
        assert (
            len(sheet(browser, f"{DEALS}export/?band=critical&band=at_risk&band=monitor&band=healthy")) == 5
        )

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("owner=nobody@acme.test", "“nobody@acme.test” is no owner whose deals you can see"),
            ("owner=stan@beta.test", "is no owner whose deals you can see"),
            ("stage=Nowhere", "“Nowhere” is not a stage of this workspace. Use one of: Qualification"),
            ("band=purple", "“purple” is not a band. Use one of: critical, at_risk, monitor, healthy."),
            ("hygiene=dirty", "“dirty” is not a hygiene flag"),
            ("amount_min=much", "“much” is not an amount. Use a number like 25000"),
            ("amount_min=NaN", "is not an amount"),
            ("amount_min=1e400", "is not an amount"),
            ("amount_min=5&amount_max=4", "The largest amount is below the smallest"),
            ("close_from=soon", "“soon” is not a date. Use one like 2026-03-31."),
            ("close_from=2026-02-01&close_to=2026-01-01", "The last close date lies before the first"),
            ("state=limbo", "“limbo” is not a state. Use one of: open, closed, won, lost, all."),
            ("sort=colour", "“colour” is not a sort order"),
            ("q=" + "x" * 101, "Search for at most 100 characters"),
            ("q=%25%20_", "has no letter or digit. Search for words of a deal"),
        ],
    )
    def test_explains_a_value_that_it_does_not_know_and_obeys_the_others(
        self, browser: Client, query: str, sentence: str
    ) -> None:
        page = read(
            browser, f"{DEALS}?stage=proposal&{query}" if "stage=" not in query else f"{DEALS}?{query}"
        )
        assert sentence in page
        if "stage=" not in query and "close_to" not in query and "amount_max" not in query:
            assert names_on(page, ">Small<", ">Silent<") == {">Small<"}
        response = browser.get(f"{DEALS}export/?{query}")
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert sentence in response.content.decode()

    def test_says_what_a_search_finds_where_it_found_nothing(self, browser: Client) -> None:
        assert "finds words of deals and accounts by their beginnings" in read(browser, f"{DEALS}?q=othing")

    @pytest.mark.parametrize(
        "query", ["stage=proposal&stage=Nowhere", "owner=rita@acme.test&stage=Proposal&owner=nobody"]
    )
    def test_keeps_the_good_values_beside_a_bad_one(self, browser: Client, query: str) -> None:
        page = browser.get(f"{DEALS}?{query}").context["page"]
        assert [row.name for row in page.table.rows] == ["Small"]
        assert page.filters.has_errors
        assert page.table.export_url == ""

    @pytest.mark.parametrize("token", ["nonsense", "ü", "gAAAAABl"])
    def test_refuses_a_damaged_page_marker(self, browser: Client, token: str) -> None:
        assert "Start again from the first page" in read(
            browser, f"{DEALS}?page={token}", HTTPStatus.BAD_REQUEST
        )

    def test_offers_each_filter_in_force_to_be_taken_away(self, browser: Client) -> None:
        page = browser.get(f"{DEALS}?stage=proposal&amount_min=1&state=all").context["page"]
        removes = {chip.label: chip.remove_url for chip in page.filters.chips}
        assert removes["Stage: Proposal"] == f"{DEALS}?amount_min=1&state=all"
        assert removes["Amount from: 1"] == f"{DEALS}?stage=proposal&state=all"
        assert removes["State: Open and closed"] == f"{DEALS}?stage=proposal&amount_min=1"

    def test_says_what_an_export_held(self, browser: Client, admin: Member) -> None:
        sheet(browser, f"{DEALS}export/?stage=proposal")
        with context.tenant_wide(admin.tenant_id):
            event = Event.objects.get(code="pipeline.deals_exported")
        assert (event.actor_label, event.facts) == (admin.email, {"filters": "stage=proposal"})


class TestPagingThroughDeals:
    SORTS = ("close_on", "amount", "score", "name", "stage_age")

    @pytest.fixture
    def browser(
        self, client_of: ClientOf, analyst: Member, rep: Member, monkeypatch: pytest.MonkeyPatch
    ) -> Client:
        monkeypatch.setattr("pipeline.views.deals.PAGE_SIZE", 4)
        today = today_of(rep.tenant)
        for number in range(9):
            make_deal(
                rep, name=f"D{number % 4}-{number}", amount_minor=number % 3 * 100, stage_changed_at=ago(number % 5 * 9),
                close_on=today + timedelta(days=number % 4),
            )  # fmt: skip
        for number in range(3):
            make_deal(rep, name=f"N{number}", amount_minor=None, close_on=None)
        build(rep.tenant)
        make_deal(rep, name="Unscored")
        return client_of(analyst)

    @pytest.mark.parametrize("sort", [f"{sign}{sort}" for sort in SORTS for sign in ("", "-")])
    def test_shows_every_deal_once_in_order_and_the_same_way_back(self, browser: Client, sort: str) -> None:
        address, forward, pages = f"{DEALS}?sort={sort}", [], []
        while address:
            page = browser.get(address).context["page"].table
            pages.append([row.name for row in page.rows])
            forward += pages[-1]
            address, last = page.next_url, page
        assert len(forward) == 13 == len(set(forward))
        assert forward == [row["name"] for row in sheet(browser, f"{DEALS}export/?sort={sort}")]
        back = [pages[-1]]
        while last.previous_url:
            last = browser.get(last.previous_url).context["page"].table
            back.append([row.name for row in last.rows])
        assert back[::-1] == pages

    @pytest.mark.parametrize("sort", ["close_on", "-close_on", "amount", "-amount"])
    def test_puts_deals_without_a_value_last(self, browser: Client, sort: str) -> None:
        column = {"close_on": "close_date", "amount": "amount"}[sort.lstrip("-")]
        values = [row[column] for row in sheet(browser, f"{DEALS}export/?sort={sort}")]
        assert values[-3:] == ["", "", ""]
        ordered = sorted(values[:-3], key=lambda value: float(value) if column == "amount" else value)
        assert values[:-3] == (ordered[::-1] if sort.startswith("-") else ordered)

    def test_refuses_a_page_marker_of_another_order(self, browser: Client) -> None:
        following = browser.get(f"{DEALS}?sort=amount").context["page"].table.next_url
        page = read(browser, following.replace("sort=amount", "sort=score"), HTTPStatus.BAD_REQUEST)
        assert "belongs to another sort order" in page

    def test_page_markers_do_not_tell_internal_ids(self, browser: Client) -> None:
        from base64 import urlsafe_b64decode

        token = browser.get(DEALS).context["page"].table.next_url.split("page=")[1]
        assert b"close_on" not in urlsafe_b64decode(token + "===")


class TestASearchThatTakesTooLong:
    def test_is_ended_and_the_transaction_lives_on(
        self, rep: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipeline.listing.SECONDS_AT_MOST", 0.05)
        with context.tenant_wide(rep.tenant_id), connection.cursor() as cursor:
            with pytest.raises(SearchTooSlow), time_limited(True):
                cursor.execute("SELECT pg_sleep(5)")
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)

    def test_says_how_to_narrow_it(
        self, client_of: ClientOf, admin: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def too_slow(*_: object, **__: object) -> None:
            raise SearchTooSlow

        monkeypatch.setattr(DealQuery, "fetch", too_slow)
        assert "Narrow it by owner, stage or close date." in read(client_of(admin), f"{DEALS}?q=x")


class TestAnExport:
    def test_streams_more_than_one_chunk(self, client_of: ClientOf, admin: Member, rep: Member) -> None:
        deal = make_deal(rep)
        with context.tenant_wide(rep.tenant_id), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO crm_sync_opportunity (tenant_id, source, external_id, modified_at, custom, owner_external_id, owner_id, "
                "name, account_external_id, account_name, stage, currency, close_on, is_closed, is_won, kind, lead_source, "
                "next_step, forecast_category, created_at) SELECT tenant_id, source, 'x' || n, modified_at, custom, '', owner_id, "
                "'=cmd' || n, '', '', stage, currency, close_on + n, false, false, '', '', '', '', created_at "
                "FROM crm_sync_opportunity, generate_series(1, %s) n WHERE id = %s",
                [CHUNK + 10, deal.id],
            )
        rows = sheet(client_of(admin), f"{DEALS}export/")
        assert len(rows) == CHUNK + 11
        assert rows[-1]["name"].startswith("'=cmd")


class TestTheHomePage:
    def test_says_the_three_numbers(self, client_of: ClientOf, admin: Member, rep: Member) -> None:
        today = today_of(rep.tenant)
        good = make_deal(rep, amount_minor=300_000_000)
        for number in range(3):
            add_contact(good, f"003{number}")
        make_deal(
            rep, amount_minor=100_000_000, stage_changed_at=ago(200), created_at=ago(300), close_on=today - timedelta(days=9),
            last_activity_on=today - timedelta(days=40),
        )  # fmt: skip
        build(rep.tenant)
        page = client_of(admin).get("/w/acme-corp/").context["page"]
        assert [stat.value for stat in page.stats] == ["$4M", "25 %", "1"]
        assert page.stats[0].hint == "2 deals, $800K weighted by probability"
        assert page.stats[2].hint == "50 % of all open deals; 1 past their close date"
        assert page.lead == "$4M in 2 open deals; 25 % of it is at risk or critical."

    def test_leads_to_the_deals_behind_each_number(
        self, client_of: ClientOf, admin: Member, rep: Member
    ) -> None:
        make_deal(rep)
        build(rep.tenant)
        browser = client_of(admin)
        page = browser.get("/w/acme-corp/").context["page"]
        for address in [
            *(stat.href for stat in page.stats),
            *(url for one in page.chart.series for url in one.hrefs),
        ]:
            assert browser.get(address).context["page"].filters.has_errors is False

    def test_tells_what_moved(self, client_of: ClientOf, rep: Member, other_rep: Member) -> None:
        for member, name in ((rep, "Mine"), (other_rep, "Not mine")):
            deal = make_deal(member, name=name)
            add_stage(deal, "Qualification", ago(60))
            add_stage(deal, "Discovery", ago(3))
            add_stage(deal, "Discovery", ago(2))
        build(rep.tenant)
        moves = client_of(rep).get("/w/acme-corp/").context["page"].moves
        assert [(move.title, move.text) for move in moves] == [
            ("Mine moved to Discovery", "$10,000, was in Qualification")
        ]

    def test_says_what_to_do_before_the_first_sync(
        self, client_of: ClientOf, admin: Member, rep: Member
    ) -> None:
        assert "Open the CRM connection" in read(client_of(admin), "/w/acme-corp/")
        assert "No open deals of yours yet" in read(client_of(rep), "/w/acme-corp/")


class TestOneDeal:
    def test_explains_its_score(self, client_of: ClientOf, rep: Member) -> None:
        today = today_of(rep.tenant)
        deal = make_deal(
            rep, stage="Proposal", stage_changed_at=ago(12), created_at=ago(60), next_step="",
            last_activity_on=today - timedelta(days=10), close_on=today + timedelta(days=7),
        )  # fmt: skip
        add_contact(deal, "003a")
        add_stage(deal, "Proposal", ago(12))
        add_activity(deal, today - timedelta(days=10))
        build(rep.tenant)
        response = client_of(rep).get(f"{DEALS}{deal.external_id}/")
        score = response.context["page"].score
        assert [(part.points, part.maximum) for part in score.parts] == [
            (19, 30),
            (20, 25),
            (10, 20),
            (5, 15),
            (8, 10),
        ]
        assert score.value == sum(part.points for part in score.parts) == 62
        assert [part.reason for part in score.parts] == [
            "12 days in Proposal; its benchmark is 7 days.",
            "Nothing has happened for 10 days; from 7 days on a deal counts as stale.",
            "Only 7 days are left until the close date, but the stages ahead take 14 days at their benchmarks.",
            "1 contact on the deal; 3 earn all points.",
            "Missing: next step.",
        ]
        for part in score.parts:
            assert part.reason in response.content.decode()

    def test_says_why_a_closed_one_has_no_score(self, client_of: ClientOf, rep: Member) -> None:
        deal = make_deal(rep, is_closed=True, is_won=True, stage="Closed Won")
        assert "A closed deal has no score." in read(client_of(rep), f"{DEALS}{deal.external_id}/")


class TestRebuilding:
    PATH = "/RevOps/Analytics/pipeline_health_summary"

    def test_is_queued_once(self, client_of: ClientOf, analyst: Member) -> None:
        browser = client_of(analyst)
        for _ in range(2):
            response = browser.post("/w/acme-corp/datasets/rebuild/", {"dataset": self.PATH}, follow=True)
            assert "is being rebuilt" in response.content.decode()
        with context.tenant_wide(analyst.tenant_id):
            assert [build.state for build in DatasetBuild.objects.all()] == [BuildState.QUEUED]

    def test_needs_the_right(self, client_of: ClientOf, rep: Member, stranger: Member) -> None:
        address = "/w/acme-corp/datasets/rebuild/"
        assert client_of(rep).post(address, {"dataset": self.PATH}).status_code == HTTPStatus.FORBIDDEN
        assert client_of(stranger).post(address, {"dataset": self.PATH}).status_code == HTTPStatus.NOT_FOUND
        assert "Rebuild</button>" not in read(client_of(rep), "/w/acme-corp/datasets/")

    def test_names_the_datasets_that_exist(self, client_of: ClientOf, analyst: Member) -> None:
        response = client_of(analyst).post("/w/acme-corp/datasets/rebuild/", {"dataset": "/RevOps/Nope"})
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert self.PATH in response.content.decode()
