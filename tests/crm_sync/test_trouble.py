"""What passes is tried again without losing a row; what a person must mend is said in a sentence."""

from __future__ import annotations

import time

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now

from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.models import ConnectionState, RunState, SyncRun
from isolation import context
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal


class TestWhatPasses:
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 500, "path_contains": "/results"},
            {
                "kind": "status",
                "status": 429,
                "path_contains": "/jobs/query",
                "headers": {"Retry-After": "0"},
            },
            {"kind": "status", "status": 403, "path_contains": "/describe"},
            {"kind": "status", "status": 503, "path_contains": "oauth2/token"},
            {"kind": "status", "status": 401, "path_contains": "/updated"},
            {"kind": "cut", "path_contains": "/results", "after": 3, "times": 2},
            {"kind": "job_failed", "path_contains": "FROM Opportunity"},
            {"kind": "status", "status": 404, "path_contains": "/results", "after": 2},
        ],
        ids=["500", "429", "limit", "sign-in", "401", "cut", "job failed", "job forgotten"],
    )
    def test_is_tried_again(self, crm: Crm, fault: dict[str, object]) -> None:
        crm.client.control("fault", **fault)
        run = crm.sync()
        assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
        assert_equal(crm)

    def test_includes_silence(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_HTTP_TIMEOUT_SECONDS = 0.5
        crm.client.control("fault", kind="timeout", path_contains="/results", seconds=2)
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)

    def test_for_long_puts_the_run_off_and_then_ends_it(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_SYNC_ATTEMPTS = 2
        crm.client.control("fault", kind="status", status=503, path_contains="FROM+Opportunity", times=0)
        crm.client.control("fault", kind="status", status=503, path_contains="/Opportunity/describe", times=0)
        run = crm.sync()
        assert (run.state, run.attempts) == (RunState.QUEUED, 1)
        assert "trouble of its own" in run.error_message
        assert crm.sync().state == RunState.FAILED
        crm.client.control("faults/clear")
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)


class TestWhatAPersonMustMend:
    def test_wrong_secret_marks_the_connection(self, crm: Crm) -> None:
        crm.connect(secret="wrong")
        run = crm.sync()
        assert run.state == RunState.FAILED
        assert "does not accept the client id and secret" in run.error_message
        assert crm.connection.state == ConnectionState.NEEDS_ATTENTION
        crm.connect()
        assert crm.sync().state == RunState.SUCCEEDED
        assert crm.connection.error_message == ""

    def test_private_address_is_never_called(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_ALLOWED_PRIVATE_HOSTS = []
        run = crm.sync()
        assert run.state == RunState.FAILED
        assert run.error_code in {"address_not_https", "address_private"}


class TestTheLease:
    def test_lets_only_one_worker_have_a_run(self, crm: Crm) -> None:
        run = crm.request()
        assert claim(crm.tenant.id, run.id) is not None
        assert claim(crm.tenant.id, run.id) is None

    def test_that_ran_out_is_taken_over_and_the_old_holder_commits_nothing(
        self, crm: Crm, settings: LazySettings
    ) -> None:
        settings.CRM_SYNC_LEASE_SECONDS = 60
        run = crm.request()
        old = claim(crm.tenant.id, run.id)
        with context.tenant_wide(crm.tenant.id):
            SyncRun.objects.filter(pk=run.pk).update(lease_until=Now())
        time.sleep(0.01)
        new = claim(crm.tenant.id, run.id)
        assert old is not None
        assert new is not None
        left = execute(old, crm.hear)
        assert (left.state, left.rows_read) == (RunState.RUNNING, 0)
        assert execute(new, crm.hear).state == RunState.SUCCEEDED
        assert_equal(crm)

    def test_is_renewed_while_a_step_takes_longer_than_it(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_SYNC_LEASE_SECONDS = 1
        crm.client.control("fault", kind="slow", path_contains="/results", seconds=2.5)
        assert crm.sync().state == RunState.SUCCEEDED

    def test_a_second_request_gives_the_run_that_is_under_way(self, crm: Crm) -> None:
        assert crm.request().id == crm.request(is_full=True).id
