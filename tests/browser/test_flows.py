"""What people do at their browsers: sign in, switch, find deals, take alerts and items on, and all of it by keyboard alone."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.selectors import PAGE_SIZE
from tests import cast
from tests.browser.conftest import Open, Site

pytestmark = pytest.mark.browser
DEALS = "/w/acme-corp/deals/"


def sign_in(page: Page, email: str, password: str = cast.PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def names(page: Page) -> list[str]:
    return page.locator("#list-results tbody th a").all_inner_texts()


def focused(page: Page) -> str:
    """What has the focus, by its text or name."""
    return str(
        page.evaluate(
            "(document.activeElement.innerText || document.activeElement.name || document.activeElement.tagName).trim()"
        )
    )


class TestSigningIn:
    def test_by_password_leads_to_the_workspace_and_out_again(self, open_as: Open) -> None:
        page = open_as().page
        sign_in(page, cast.PEOPLE["rep"][2])
        expect(page).to_have_url(re.compile("/w/acme-corp/$"))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.locator("summary", has_text=cast.PEOPLE["rep"][2]).click()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/accounts/login/"))
        page.goto(DEALS)
        expect(page).to_have_url(re.compile("/accounts/login/"))

    def test_with_a_wrong_password_says_what_is_wrong(self, open_as: Open) -> None:
        page = open_as().page
        sign_in(page, cast.PEOPLE["other_rep"][2], "wrong")
        expect(page.get_by_role("alert")).to_contain_text("not correct")
        expect(page).to_have_url(re.compile("/accounts/login/"))

    def test_by_access_key_leads_a_partner_to_the_own_workspace(self, open_as: Open, site: Site) -> None:
        page = open_as().page
        page.goto("/accounts/login/")
        page.get_by_role("link", name="Use an access key").click()
        page.get_by_label("Access key").fill(site.scene.access_key)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile("/w/gamma-labs/$"))

    def test_leads_back_to_the_page_that_was_asked_for(self, open_as: Open) -> None:
        page = open_as().page
        page.goto(f"{DEALS}?sort=-amount")
        page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(cast.PEOPLE["rep"][2])
        page.get_by_label("Password", exact=True).fill(cast.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile(r"/w/acme-corp/deals/\?sort=-amount$"))


def test_a_person_in_two_workspaces_switches_between_them(open_as: Open) -> None:
    page = open_as("manager").page
    page.goto("/w/acme-corp/")
    page.locator("summary", has_text="Acme Corp").click()
    page.get_by_role("link", name="Beta Inc").click()
    expect(page).to_have_url(re.compile("/w/beta-inc/$"))
    page.goto("/w/beta-inc/deals/")
    assert names(page) == ["beta_rep deal"]


class TestDeals:
    def test_of_a_rep_are_the_own_ones(self, open_as: Open) -> None:
        page = open_as("rep").page
        page.goto(f"{DEALS}?sort=name")
        assert len(names(page)) == PAGE_SIZE
        assert all(name.startswith("Deal ") for name in names(page))
        assert page.goto(f"{DEALS}?owner={cast.PEOPLE['other_rep'][2]}") is not None
        expect(page.get_by_text("other_rep deal")).to_have_count(0)

    def test_are_filtered_without_loading_the_page_again(self, open_as: Open) -> None:
        page = open_as("admin").page
        page.goto(DEALS)
        page.evaluate("document.body.dataset.loaded = 'once'")
        page.locator("summary", has_text="Stage").click()
        page.get_by_label("Proposal").check()
        expect(page).to_have_url(re.compile("stage=Proposal"))
        expect(page.locator("#list-results tbody tr")).to_have_count(12)
        assert set(page.locator("td[data-label=Stage]").all_inner_texts()) == {"Proposal"}
        assert page.evaluate("document.body.dataset.loaded") == "once"
        page.go_back()
        expect(page.locator("#list-results tbody tr")).to_have_count(PAGE_SIZE)

    def test_are_searched_by_the_words_of_name_and_account(self, open_as: Open) -> None:
        page = open_as("admin").page
        page.goto(DEALS)
        page.get_by_role("searchbox").fill("deal 07")
        expect(page.locator("#list-results tbody tr")).to_have_count(1)
        assert names(page) == ["Deal 07 with Northwind Incorporated"]
        page.get_by_role("searchbox").fill("no such deal")
        expect(page.get_by_text("No deal matches these filters")).to_be_visible()

    def test_are_sorted_and_paged_there_and_back(self, open_as: Open) -> None:
        page = open_as("rep").page
        page.goto(DEALS)
        page.get_by_role("columnheader", name="Deal").get_by_role("link").click()
        expect(page).to_have_url(re.compile("sort=name"))
        first = names(page)
        assert first == sorted(first)
        page.get_by_role("link", name="Next").click()
        expect(page.get_by_text(first[0], exact=True)).to_have_count(0)
        assert set(first).isdisjoint(names(page))
        page.get_by_role("link", name="Previous").click()
        expect(page.get_by_text(first[0], exact=True)).to_have_count(1)
        assert names(page) == first

    def test_open_and_say_why_their_score_is_what_it_is(self, open_as: Open, site: Site) -> None:
        page = open_as("rep").page
        page.goto(f"{DEALS}?sort=name")
        page.get_by_role("link", name="Deal 00 with Northwind Incorporated").click()
        expect(page).to_have_url(re.compile(f"/deals/{site.scene.deal}/$"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("Deal 00")
        expect(page.get_by_text("Qualification").first).to_be_visible()

    def test_are_exported_as_they_are_filtered(self, open_as: Open, tmp_path: Path) -> None:
        page = open_as("rep").page
        page.goto(f"{DEALS}?stage=Proposal&sort=-amount")
        shown = names(page)
        with page.expect_download() as download:
            page.get_by_role("link", name="Export CSV").click()
        download.value.save_as(tmp_path / "deals.csv")
        with (tmp_path / "deals.csv").open(encoding="utf-8-sig", newline="") as sheet:
            assert [row["name"] for row in csv.DictReader(sheet)] == shown


class TestTakingOn:
    def test_an_alert_is_acknowledged_by_those_who_may(self, open_as: Open, site: Site) -> None:
        address = f"/w/acme-corp/alerts/{site.scene.alert.id}/"
        reader = open_as("rep").page
        reader.goto(address)
        expect(reader.get_by_role("button", name="Acknowledge")).to_have_count(0)
        page = open_as("analyst").page
        page.goto(address)
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text(cast.PEOPLE["analyst"][2]).last).to_be_visible()
        expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)

    def test_an_item_is_marked_as_reviewed(self, open_as: Open, site: Site) -> None:
        page = open_as("analyst").page
        page.goto(f"/w/acme-corp/queue/{site.scene.item.id}/")
        page.get_by_role("button", name=re.compile("reviewed", re.IGNORECASE)).click()
        page.goto(f"/w/acme-corp/queue/{site.scene.item.id}/")
        expect(page.get_by_text("Reviewed").first).to_be_visible()

    def test_contact_data_is_masked_for_those_without_the_right(self, open_as: Open) -> None:
        page = open_as("analyst").page
        page.goto("/w/acme-corp/queue/")
        expect(page.get_by_text("98****5678").first).to_be_visible()
        expect(page.get_by_text("9812345678")).to_have_count(0)


class TestByKeyboard:
    def test_the_first_stop_skips_to_the_content(self, open_as: Open) -> None:
        page = open_as("admin").page
        page.goto(DEALS)
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to the content"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")

    def test_a_filter_is_reached_opened_chosen_and_left(self, open_as: Open) -> None:
        page = open_as("admin").page
        page.goto(DEALS)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        for _ in range(15):
            page.keyboard.press("Tab")
            if focused(page).startswith("Stage"):
                break
        assert focused(page).startswith("Stage")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Discovery")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page).to_have_url(re.compile("stage="))
        page.keyboard.press("Escape")
        expect(page.get_by_label("Discovery")).to_be_hidden()
        assert focused(page).startswith("Stage")

    def test_the_workspace_menu_opens_switches_and_closes(self, open_as: Open) -> None:
        page = open_as("manager").page
        page.goto("/w/acme-corp/")
        page.locator("summary", has_text="Acme Corp").focus()
        page.keyboard.press("Enter")
        beta = page.get_by_role("link", name="Beta Inc")
        expect(beta).to_be_visible()
        page.keyboard.press("Escape")
        expect(beta).to_be_hidden()
        page.keyboard.press("Enter")
        beta.focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/w/beta-inc/$"))

    def test_signing_in_needs_no_mouse(self, open_as: Open) -> None:
        page = open_as().page
        page.goto("/accounts/login/")
        page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).focus()
        page.keyboard.type(cast.PEOPLE["head"][2])
        while page.evaluate("document.activeElement.type") != "password":
            page.keyboard.press("Tab")
        page.keyboard.type(cast.PASSWORD)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/w/acme-corp/$"))


def test_on_a_telephone_the_menu_opens_and_leads_on(open_as: Open) -> None:
    page = open_as("rep", viewport={"width": 390, "height": 844}).page
    page.goto("/w/acme-corp/")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Deals").click()
    expect(page).to_have_url(re.compile("/deals/$"))


def test_the_chosen_theme_outlives_the_page(open_as: Open) -> None:
    page = open_as("rep").page
    page.goto("/w/acme-corp/")
    page.locator("summary", has_text=cast.PEOPLE["rep"][2]).click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.goto(DEALS)
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_an_unknown_address_says_so_in_the_programs_look(open_as: Open, site: Site) -> None:
    tab = open_as("rep")
    answer = tab.page.goto("/w/acme-corp/deals/006nothing/")
    assert answer is not None
    assert answer.status == 404
    expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
    assert [one for one in tab.complaints if "404" not in one] == []
    tab.complaints.clear()


def test_the_api_explains_itself(open_as: Open) -> None:
    page = open_as("admin").page
    page.goto("/api/v1/docs/")
    expect(page.locator(".opblock")).to_have_count(28)
    expect(page.get_by_text("/api/v1/w/{tenant}/deals/", exact=True).first).to_be_visible()


def test_a_second_crm_is_set_up_paused_and_removed_by_keyboard_alone(open_as: Open) -> None:
    page = open_as("admin").page
    page.goto("/w/acme-corp/settings/crm/")
    page.get_by_role("link", name="HubSpot").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("HubSpot")
    page.get_by_role("link", name="Set up the connection").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Access token").focus()
    page.keyboard.type("pat-na1-something")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The connection was saved")).to_be_visible()
    expect(page.get_by_label("Access token")).to_have_value("")
    page.goto("/w/acme-corp/settings/crm/hubspot/")
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.goto("/w/acme-corp/settings/crm/hubspot/connection/remove/")
    page.get_by_label("Type HubSpot").focus()
    page.keyboard.type("HubSpot")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Add HubSpot")).to_be_visible()


def test_a_deal_is_shared_looked_at_first_explained_and_taken_back_by_keyboard(
    open_as: Open, site: Site
) -> None:
    deal = f"{DEALS}{site.scene.deal}/"
    page, theirs = open_as("manager").page, open_as("distant_rep")
    page.goto(deal)
    expect(page.get_by_text("and your role shows your team's deals")).to_be_visible()
    page.locator("summary", has_text="Share…").focus()
    page.keyboard.press("Enter")
    page.get_by_label("With", exact=True).select_option(label="Dina Rep")
    page.get_by_label("Reason").first.fill("Stands in for Rita")
    page.get_by_role("button", name="See who would see it").press("Enter")
    expect(page.get_by_text(re.compile("Dina Rep would see 1 open deal"))).to_be_visible()
    theirs.page.goto(deal)
    expect(theirs.page.get_by_role("heading", level=1)).not_to_contain_text("Deal 00")
    assert [one for one in theirs.complaints if "404" not in one] == []
    theirs.complaints.clear()
    page.get_by_role("button", name="Share", exact=True).press("Enter")
    expect(page.get_by_text("is shared.")).to_be_visible()
    theirs.page.goto(f"{DEALS}?shared=with_me")
    expect(theirs.page.locator("#list-results tbody th")).to_contain_text("Shared")
    page.get_by_role("link", name="Who sees this deal, and why?").press("Enter")
    page.get_by_label("Person").select_option(label="Dina Rep")
    page.get_by_role("button", name="Answer").press("Enter")
    expect(page.get_by_text("It is shared with them by mona@acme.test").first).to_be_visible()
    page.goto("/w/acme-corp/shares/?whose=by_me")
    page.get_by_role("button", name=re.compile("^End…")).press("Enter")
    page.get_by_label("Reason").fill("Rita is back")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is not shared with Dina Rep any more")).to_be_visible()
    theirs.page.goto(f"{DEALS}?shared=with_me")
    expect(theirs.page.locator("#list-results tbody th")).to_have_count(0)
