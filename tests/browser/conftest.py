"""A real Chromium before a real web server on a worker's own database.

``BROWSER_SHOTS=/some/directory`` keeps a screenshot of every page that the tests visit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    expect,
    sync_playwright,
)
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from tests import cast
from tests.browser.scene import Scene, plant
from tests.conftest import WorkerDatabase
from tests.whole_path.processes import Processes, processes_on

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
expect.set_options(timeout=10_000)


@dataclass
class Site:
    """The web server's address, what is in its database, and how to sign in without the form."""

    address: str
    scene: Scene
    processes: Processes

    def cookies(self, user: User) -> list[dict[str, str]]:
        """The session of that person."""
        client = Client()
        cast.sign_in(client, user)
        name = settings.SESSION_COOKIE_NAME
        return [{"name": name, "value": client.cookies[name].value, "url": self.address}]


@dataclass
class Tab:
    """One page, and everything the browser complained about in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen for errors: of scripts, of the content-security policy, of whatever did not load."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type} at {self.page.url}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} for {response.url}")


Open = Callable[..., Tab]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of one test file. Playwright runs an event loop in this thread, in which Django refuses its database
    unless told otherwise; neither outlives the file. Inside the loop Django has connections of its own, so those from
    before it are closed: nobody else would, and the database that they are on is made anew at the end of the file."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(
            "there is no chromium; install it (Debian: apt-get install chromium) and run the tests again"
        )
    connections.close_all()
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(
    chromium: Browser, worker_database: WorkerDatabase, worker_id: str, django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:  # fmt: skip
    """The program with the scene planted."""
    directory = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        stack.callback(worker_database.renew)
        scene = plant()
        processes = stack.enter_context(processes_on(worker_database, worker_id, directory))
        yield Site(processes.start_web(), scene, processes)


@pytest.fixture
def open_as(site: Site, chromium: Browser) -> Iterator[Open]:
    """Open a tab as somebody of the cast ("" is nobody, "operator" the operator); its complaints fail the test."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def opened(who: str = "", **options: Any) -> Tab:
        options = {"viewport": {"width": 1280, "height": 800}, "base_url": site.address, **options}
        contexts.append(chromium.new_context(**options))
        if who:
            user = cast.account(cast.OPERATOR if who == "operator" else cast.PEOPLE[who][2])
            contexts[-1].add_cookies(site.cookies(user))  # type: ignore[arg-type]  # the stubs want every key
        tabs.append(Tab(contexts[-1].new_page()))
        tabs[-1].watch()
        return tabs[-1]

    yield opened
    for context in contexts:
        context.close()
    assert [complaint for tab in tabs for complaint in tab.complaints] == []
