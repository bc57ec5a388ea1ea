"""Moving somebody in the reporting tree, by mouse and by keyboard alone: both lead to the preview, and only Save changes anything."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from isolation import context
from rbac.selectors import manager_id_of
from tests import cast
from tests.browser.conftest import Open

pytestmark = pytest.mark.browser
TREE = "/w/acme-corp/settings/people/tree/"


def manager_of(key: str) -> object:
    member = cast.member_of(key)
    with context.tenant_wide(member.tenant_id):
        return manager_id_of(member)


def unfolded(page: Page) -> None:
    page.goto(TREE)
    expect(page.get_by_role("link", name="Mona Manager", exact=True)).to_be_visible()


def tab_to(page: Page, label: str) -> None:
    """Press Tab until the element of that text has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if label in str(page.evaluate("document.activeElement.textContent")):
            return
    pytest.fail(f"Tab does not reach {label}")


def test_by_mouse_a_person_is_dropped_on_the_new_manager(open_as: Open) -> None:
    page = open_as("admin").page
    unfolded(page)
    dina, mona = (page.locator(".hub-tree-row", has_text=name) for name in ("Dina Rep", "Mona Manager"))
    dina.drag_to(mona)
    expect(page.get_by_role("heading", level=1)).to_have_text("If Dina Rep reported to Mona Manager")
    expect(page.get_by_role("table")).to_contain_text("Mona Manager")
    assert manager_of("distant_rep") == cast.member_of("head").id
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(re.compile(f"{TREE}$"))
    assert manager_of("distant_rep") == cast.member_of("head").id


def test_by_keyboard_a_level_unfolds_and_a_person_moves(open_as: Open) -> None:
    page = open_as("admin", viewport={"width": 390, "height": 800}).page
    unfolded(page)
    tab_to(page, "2 reports of Mona Manager")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Otto Rep", exact=True)).to_be_visible()
    tab_to(page, "Move… Otto Rep")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("A manager for Otto Rep")
    page.get_by_label(re.compile("Reports to")).focus()
    page.keyboard.type("Hugo")
    tab_to(page, "Preview…")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("If Otto Rep reported to Hugo Head")
    tab_to(page, "Save the move")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{TREE}$"))
    assert manager_of("other_rep") == cast.member_of("head").id
