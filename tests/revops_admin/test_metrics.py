"""``/metrics``: what it counts, who may read it, and that a database that is away does not break it."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.db import connections
from django.http import HttpResponse
from django.test import Client, RequestFactory
from prometheus_client.parser import text_string_to_metric_families

from isolation import jobs
from revops_admin import metrics
from tests.conftest import WorkerDatabase


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_program", metrics.ProgramCollector())


def numbers(client: Client) -> dict[tuple[str, str], float]:
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db
class TestTheNumbers:
    def test_tell_the_state_of_the_whole_program(self, client: Client) -> None:
        jobs.beat("worker")
        found = numbers(client)
        assert found["revops_up", ""] == 1
        assert found["revops_workspaces", "enterprise"] == 1
        assert found["revops_heartbeat_age_seconds", "worker"] < 5
        assert ("revops_queue_depth", "") in found

    def test_are_read_from_the_database_once_in_a_while(
        self, client: Client, django_assert_num_queries: object
    ) -> None:
        numbers(client)
        with django_assert_num_queries(2):  # type: ignore[operator]  # heartbeats and jobs; the rest is remembered
            numbers(client)

    def test_count_requests_by_route_and_never_by_address(self) -> None:
        answer = metrics.RequestMetrics(lambda _: HttpResponse(status=404))
        answer(RequestFactory().get("/w/secret-customer/"))
        text = metrics._collected().decode()
        assert 'revops_requests_total{method="GET",route="unknown",status="404"}' in text
        assert "secret-customer" not in text


@pytest.mark.django_db
class TestTheDoor:
    @pytest.mark.parametrize(
        ("address", "headers", "status"),
        [
            ("127.0.0.1", {}, 200),
            ("10.1.2.3", {}, 200),
            ("::1", {}, 200),
            ("8.8.8.8", {}, 403),
            ("", {}, 403),
            ("127.0.0.1", {"X-Forwarded-For": "8.8.8.8"}, 403),
        ],
    )
    def test_opens_to_the_private_network(self, address: str, headers: dict[str, str], status: int) -> None:
        response = Client(REMOTE_ADDR=address, headers=headers).get("/metrics")
        assert response.status_code == status

    @pytest.mark.parametrize(("given", "status"), [("Bearer right", 200), ("Bearer wrong", 403), ("", 403)])
    def test_opens_to_the_token_alone_where_one_is_set(
        self, given: str, status: int, settings: LazySettings
    ) -> None:
        settings.METRICS_TOKEN = "right"
        response = Client(REMOTE_ADDR="127.0.0.1", headers={"Authorization": given}).get("/metrics")
        assert response.status_code == status


class TestWithoutADatabase:
    def test_says_that_it_is_down(self, committed: WorkerDatabase) -> None:
        connection = connections["default"]
        connection.close()
        port, connection.settings_dict["PORT"] = connection.settings_dict["PORT"], 1
        try:
            found = numbers(Client())
        finally:
            connection.close()
            connection.settings_dict["PORT"] = port
        assert found["revops_up", ""] == 0
        assert ("revops_workspaces", "enterprise") not in found
