"""The vendor's staff at a browser: in with a reason, a banner on every page, out again; and what the customer's admin sees."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from isolation import context
from rbac.breakglass.selectors import stays_in_force
from rbac.breakglass.services import break_glass_end
from tests import cast
from tests.browser.conftest import Open, Site
from tests.browser.test_pages import AXE, CONTRAST, NARROW, RULES, SCROLL, WIDE, found_by_axe, in_theme, keep

pytestmark = pytest.mark.browser
PLACE = "/platform/workspaces/acme-corp/"
LOG = "/w/acme-corp/settings/break-glass/"
WHY = "Acme asked why two deals are missing since Monday"


@pytest.fixture(autouse=True)
def nobody_stays_inside(site: Site) -> Iterator[None]:
    yield
    acme = cast.tenant_of(cast.ACME)
    with context.tenant_wide(acme.id):
        for stay in stays_in_force(acme.id):
            break_glass_end(stay=stay, acting_user=cast.PLANTER)


def enter(page: Page) -> None:
    page.goto(PLACE)
    page.get_by_text("Enter the workspace’s data").click()
    page.get_by_label("Reason").fill(WHY)
    page.get_by_label("For", exact=True).select_option("1 hour")
    page.get_by_role("button", name="Enter the data").click()
    expect(page).to_have_url(re.compile("/w/acme-corp/$"))


def banner(page: Page) -> str:
    return page.get_by_role("complementary", name="Vendor access").inner_text()


class TestTheOperator:
    def test_goes_in_sees_the_banner_everywhere_and_goes_out(self, open_as: Open) -> None:
        page = open_as("operator").page
        enter(page)
        for address in ("/w/acme-corp/deals/", "/w/acme-corp/queue/", "/w/acme-corp/audit/", LOG):
            page.goto(address)
            assert "You are in Acme Corp’s data as the vendor’s staff until" in banner(page)
            assert WHY in banner(page)
        page.get_by_role("button", name="End now").click()
        expect(page).to_have_url(re.compile(f"{PLACE}$"))
        expect(page.get_by_role("status").first).to_contain_text("out of the workspace’s data")
        assert page.request.get("/w/acme-corp/deals/").status == 404

    def test_keeps_the_banner_in_sight_while_scrolling(self, open_as: Open) -> None:
        page = open_as("operator", viewport=NARROW).page
        enter(page)
        page.goto("/w/acme-corp/deals/")
        page.evaluate("scrollTo(0, 2000)")
        expect(page.get_by_role("button", name="End now")).to_be_in_viewport()

    def test_is_told_what_a_reason_needs(self, open_as: Open) -> None:
        tab = open_as("operator")
        page = tab.page
        page.goto(PLACE)
        page.get_by_text("Enter the workspace’s data").click()
        page.get_by_label("Reason").fill("look")
        page.get_by_role("button", name="Enter the data").click()
        expect(page.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("main")).to_contain_text("at least 15 characters")
        assert [complaint for complaint in tab.complaints if "400 (Bad Request)" not in complaint] == []
        tab.complaints.clear()  # the browser complains of the refusal itself


class TestTheAdmin:
    def test_sees_who_is_inside_and_ends_it_after_a_question(self, open_as: Open) -> None:
        operators = open_as("operator").page
        enter(operators)
        page = open_as("admin").page
        page.goto("/w/acme-corp/deals/")
        assert f"Vendor’s staff ({cast.OPERATOR}) can read this workspace until" in banner(page)
        page.get_by_role("link", name="See the log").click()
        expect(page).to_have_url(re.compile(f"{LOG}$"))
        page.get_by_role("button", name="End this access").click()
        expect(page.get_by_role("dialog")).to_contain_text("sees nothing of this workspace any more")
        page.get_by_role("dialog").get_by_role("button", name="End this access").click()
        expect(page.get_by_role("status").first).to_contain_text("cannot read this workspace any more")
        assert operators.request.get("/w/acme-corp/deals/").status == 404


@pytest.mark.parametrize(("who", "address"), [
    ("operator", "/w/acme-corp/deals/"), ("operator", LOG), ("operator", "/w/acme-corp/settings/people/add/"),
    ("operator", PLACE), ("admin", "/w/acme-corp/deals/"), ("admin", LOG),
])  # fmt: skip
def test_pages_with_a_banner_keep_to_wcag_and_fit_a_telephone(
    who: Literal["operator", "admin"], address: str, open_as: Open
) -> None:
    enter(open_as("operator").page)
    tab = open_as(who)
    page = tab.page
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]  # a plain dict
    page.goto(address)
    page.evaluate(AXE)
    shots = os.environ.get("BROWSER_SHOTS", "")
    name = f"break-glass-{who}-{address.strip('/').replace('/', '-')}"
    keep(page, shots, f"{name}-1280")
    assert found_by_axe(page, RULES) == []
    in_theme(page, "dark")
    assert found_by_axe(page, CONTRAST) == []
    keep(page, shots, f"{name}-1280-dark")
    in_theme(page, "light")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # as above
    assert page.evaluate(SCROLL) == 0
    keep(page, shots, f"{name}-390")
    # The browser complains of a refusal itself, too.
    tab.complaints[:] = [one for one in tab.complaints if "403 (Forbidden)" not in one]
