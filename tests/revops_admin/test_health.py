"""Health for machines and people: 200 while everything works, 503 with the reason when a part is down, never a failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts.models import User
from isolation import jobs
from isolation.models import Heartbeat, PeriodicJob
from tests.conftest import WorkerDatabase

DEAD = "redis://127.0.0.1:1/0"


@pytest.fixture
def alive(db: None) -> None:
    for name in ("beat", "worker"):
        jobs.beat(name)


class TestLive:
    def test_answers_whatever_else_is_down(self, client: Client, settings: LazySettings) -> None:
        settings.REDIS_URL = DEAD
        assert client.get("/health/live").json() == {
            "status": "ok"
        }  # no database fixture: a query would fail


@pytest.mark.django_db
class TestReady:
    def test_is_ok_while_every_part_works(self, alive: None, client: Client) -> None:
        response = client.get("/health/ready")
        assert response.status_code == 200
        parts = response.json()["parts"]
        assert {name: part["up"] for name, part in parts.items()} == dict.fromkeys(
            ("database", "contexts", "redis", "beat", "worker"), True
        )
        assert parts["beat"]["limit_seconds"] == 60

    def test_tells_that_redis_is_down(self, alive: None, client: Client, settings: LazySettings) -> None:
        settings.REDIS_URL = DEAD
        response = client.get("/health/ready")
        assert response.status_code == 503
        parts = response.json()["parts"]
        assert "redis does not answer" in parts["redis"]["reason"]
        assert parts["database"]["up"]
        assert "127.0.0.1" not in response.content.decode()

    def test_tells_that_the_database_does_not_know_the_key(
        self, alive: None, client: Client, settings: LazySettings
    ) -> None:
        settings.SECRET_KEY = "another one"
        response = client.get("/health/ready")
        assert response.status_code == 503
        parts = response.json()["parts"]
        assert "refuses this process's contexts" in parts["contexts"]["reason"]
        assert parts["database"]["up"]

    def test_tells_that_a_heart_stopped(self, alive: None, client: Client) -> None:
        Heartbeat.objects.filter(name="beat").update(at=timezone.now() - timedelta(minutes=5))
        response = client.get("/health/ready")
        assert response.status_code == 503
        assert (
            response.json()["parts"]["beat"]["reason"] == "beat was last seen 5 minutes ago; start it again"
        )

    def test_tells_that_a_process_was_never_there(self, client: Client) -> None:
        Heartbeat.objects.update(name="somebody else")
        assert (
            client.get("/health/ready").json()["parts"]["worker"]["reason"]
            == "worker was never seen; start it"
        )

    def test_is_not_cached(self, client: Client) -> None:
        assert "no-cache" in client.get("/health/ready")["Cache-Control"]


class TestReadyWithoutADatabase:
    def test_tells_that_the_database_is_down(self, committed: WorkerDatabase, client: Client) -> None:
        connection = connections["default"]
        connection.close()
        port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], 1
        try:
            response = client.get("/health/ready")
        finally:
            connection.close()
            connection.settings_dict["PORT"] = port
        assert response.status_code == 503
        parts = response.json()["parts"]
        assert "database does not answer" in parts["database"]["reason"]
        assert "unknown" in parts["contexts"]["reason"]
        assert parts["redis"]["up"]
        assert not parts["worker"]["up"]


@pytest.mark.django_db
class TestTheHealthPage:
    @pytest.fixture
    def browser(self, operator: User, client_of: Callable[[User], Client]) -> Client:
        return client_of(operator)

    def test_says_what_is_down_and_answers_without_redis(
        self, alive: None, browser: Client, settings: LazySettings
    ) -> None:
        assert "Everything that the program needs is up." in browser.get("/platform/health/").content.decode()
        settings.REDIS_URL = DEAD
        page = browser.get("/platform/health/").content.decode()
        assert "Down: Redis." in page
        assert "Unknown" in page

    def test_lists_every_regular_job_with_its_state(self, browser: Client) -> None:
        late, *_ = sorted(jobs.all_jobs())
        PeriodicJob.objects.update_or_create(
            code=late, defaults={"due_at": timezone.now() - timedelta(hours=1), "leased_until": None}
        )
        page = browser.get("/platform/health/").context["page"]
        assert {row.code for row in page.jobs} == jobs.all_jobs().keys()
        assert next(row for row in page.jobs if row.code == late).state.label == "Late"
