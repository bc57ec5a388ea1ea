"""Every page of every role: accessible by axe (WCAG 2.2 AA) in light and dark, whole at 390 px, silent in the console."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests import cast
from tests.browser.addresses import addresses, pages
from tests.browser.conftest import Site, Tab
from tests.conftest import ROOT

pytestmark = pytest.mark.browser
AXE = (ROOT / "tests/vendor/axe/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CONTRAST = ["color-contrast"]
FIND = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(result => result.violations)"
# The theme follows the system in an event, and transitions end a frame later.
THEMED = """theme => document.documentElement.dataset.bsTheme === theme
    && document.getAnimations().every(one => one.playState === "finished")"""
ICONS = "() => [...document.querySelectorAll('use')].map(use => use.getAttribute('href').split('#')[1])"
SPRITE = set(
    re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/vendor/tabler-icons/sprite.svg").read_text())
)
# How far the page can be scrolled sideways is what a reader notices; widths lie where room for a scroll bar is kept.
SCROLL = "() => { scrollTo(9999, 0); const moved = scrollX; scrollTo(0, 0); return moved; }"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
# Who looks, and in which workspace.
READERS = {
    "": cast.ACME, "admin": cast.ACME, "rep": cast.ACME, "partner": cast.PARTNER, "operator": cast.ACME,
}  # fmt: skip
# Between them they see every template and every tone.
DARK_TOO = ("", "admin", "operator")
LEAST = {"": 7, "admin": 20, "rep": 8, "partner": 11, "operator": 6}


class Visit:
    """What one person saw: by page, what axe found and how far it is too wide; and all that the browser complained about."""

    def __init__(self) -> None:
        self.violations: dict[str, list[str]] = {}
        self.overflow: dict[str, int] = {}
        self.complaints: list[str] = []


def found_by_axe(page: Page, rules: list[str]) -> list[str]:
    violations: list[dict[str, Any]] = page.evaluate(FIND, rules)
    return [f"{one['id']}: {node['html'][:160]}" for one in violations for node in one["nodes"][:3]]


def keep(page: Page, shots: str, name: str) -> None:
    if shots:
        Path(shots).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{shots}/{name.replace(':', '-')}.png", full_page=True)


def in_theme(page: Page, theme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(THEMED, arg=theme)


def look_at(page: Page, address: str, visit: Visit, shots: str, name: str, *, also_dark: bool) -> None:
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]  # a plain dict
    page.goto(address)
    page.evaluate(AXE)
    keep(page, shots, f"{name}-1280")
    found = found_by_axe(page, RULES)
    found += [f"there is no icon “{icon}”" for icon in sorted(set(page.evaluate(ICONS)) - SPRITE)]
    if also_dark:
        in_theme(page, "dark")
        found += [f"dark: {one}" for one in found_by_axe(page, CONTRAST)]
        keep(page, shots, f"{name}-1280-dark")
        in_theme(page, "light")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # as above
    too_wide = page.evaluate(SCROLL)
    if too_wide:  # a chart takes a moment to follow
        page.wait_for_timeout(1000)
        too_wide = page.evaluate(SCROLL)
    keep(page, shots, f"{name}-390")
    if found:
        visit.violations[name] = found
    if too_wide:
        visit.overflow[name] = too_wide


@pytest.fixture(scope="module", params=READERS, ids=lambda who: who or "nobody")
def visit(request: pytest.FixtureRequest, site: Site, chromium: Browser) -> Iterator[Visit]:
    """One walk through all pages that this person can open."""
    who, shots, seen = request.param, os.environ.get("BROWSER_SHOTS", ""), Visit()
    context = chromium.new_context(base_url=site.address, color_scheme="light", reduced_motion="reduce")
    if who:
        user = cast.account(cast.OPERATOR if who == "operator" else cast.PEOPLE[who][2])
        context.add_cookies(site.cookies(user))  # type: ignore[arg-type]  # the stubs want every key
    tab = Tab(context.new_page(), seen.complaints)
    tab.watch()
    cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    known = addresses(site.scene, READERS[who])
    found = pages(site.address, known, cookies, but_not_of_anybody=bool(who))
    assert len(found) >= LEAST[who], sorted(found)
    for name, address in found.items():
        look_at(tab.page, address, seen, shots, f"{who or 'nobody'}-{name}", also_dark=who in DARK_TOO)
    yield seen
    context.close()


def test_pages_keep_to_wcag_in_light_and_dark_and_show_every_icon(visit: Visit) -> None:
    assert visit.violations == {}


def test_pages_fit_a_telephone(visit: Visit) -> None:
    assert visit.overflow == {}


def test_pages_make_the_browser_complain_of_nothing(visit: Visit) -> None:
    assert visit.complaints == []
