"""Connecting Salesforce by consent in a real browser: over to its page, and back."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.sandbox.conftest import Server, start_server

pytestmark = pytest.mark.browser
BEGIN = "/w/acme-corp/settings/crm/salesforce/connect/"


@pytest.fixture(scope="module")
def salesforce() -> Iterator[Server]:
    """An organisation that shows a page with Allow and Deny."""
    server = start_server("--org", "consent=20:3")
    answer = httpx.post(f"{server.url}/_sandbox/orgs/consent/oauth", json={"consent": True})
    answer.raise_for_status()
    yield server
    server.stop()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_consent_leads_to_the_crm_and_back(open_as: Open, salesforce: Server, width: int) -> None:
    tab = open_as("admin", viewport={"width": width, "height": 800})
    page = tab.page
    page.goto(BEGIN)
    page.get_by_label("Login address").fill(f"{salesforce.url}/orgs/consent")
    page.get_by_label("Client id").fill("sandbox-consent")
    page.get_by_label("Client secret").fill("sandbox-secret-consent")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_text("Access was denied on Salesforce's page")).to_be_visible()
    page.get_by_label("Client secret").fill("sandbox-secret-consent")
    page.get_by_label("Login address").fill(f"{salesforce.url}/orgs/consent")
    page.get_by_label("Client id").fill("sandbox-consent")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected as")).to_be_visible()
    assert page.url.startswith(page.url.split("/w/")[0] + "/w/acme-corp/settings/crm/salesforce/")
    # The sandbox's page has no icon, which the browser asks for all the same.
    tab.complaints[:] = [each for each in tab.complaints if salesforce.url not in each]
