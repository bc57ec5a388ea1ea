"""``manage.py check_build_status``: what went wrong in the last hours, and what to do about it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from crm_sync.models import Connection, RunState, RunTrigger, SyncRun
from isolation import context
from pipeline.models import BuildKind, BuildState, DatasetBuild
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def ran(tenant: Tenant, *, hours_ago: int = 1, code: str = "") -> None:
    at = timezone.now() - timedelta(hours=hours_ago)
    with context.tenant_wide(tenant.id):
        SyncRun.objects.create(
            tenant=tenant, connection=Connection.objects.get(), trigger=RunTrigger.SCHEDULE, requested_by="x", requested_at=at,
            finished_at=at, state=RunState.FAILED if code else RunState.SUCCEEDED, error_code=code,
            error_message="It broke." if code else "",
        )  # fmt: skip


def built(tenant: Tenant, state: BuildState) -> None:
    with context.tenant_wide(tenant.id):
        DatasetBuild.objects.create(
            tenant=tenant, dataset="/RevOps/x", kind=BuildKind.FULL, requested_by="x", state=state,
            finished_at=timezone.now(), error="bad" if state == BuildState.FAILED else "",
        )  # fmt: skip


class TestCheckBuildStatus:
    def test_ends_with_0_where_nothing_failed(self, acme: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
        ran(acme)
        built(acme, BuildState.SUCCEEDED)
        ran(acme, hours_ago=30, code="timeout")  # before the hours that are asked for
        call_command("check_build_status", hours=24)
        assert "acme-corp: syncs 1 succeeded; builds 1 succeeded" in capsys.readouterr().out

    def test_tells_the_class_of_each_failure_and_what_to_do(
        self, acme: Tenant, beta: Tenant, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ran(acme, code="field_missing")
        ran(acme, code="field_missing")
        built(beta, BuildState.FAILED)
        with pytest.raises(SystemExit) as ended:
            call_command("check_build_status", json=True)
        assert ended.value.code == 1
        told = {each["customer"]: each for each in json.loads(capsys.readouterr().out)["workspaces"]}
        (sync,) = told["acme-corp"]["failures"]
        assert (sync["what"], sync["error_class"], sync["times"]) == ("salesforce", "schema", 2)
        assert sync["what_to_do"].startswith("Compare the field mapping")
        (build,) = told["beta-inc"]["failures"]
        assert "rebuild_dataset --customer beta-inc --dataset /RevOps/x" in build["what_to_do"]
        assert told["gamma-labs"]["failures"] == []

    def test_looks_at_one_workspace_where_one_is_named(
        self, acme: Tenant, beta: Tenant, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ran(acme, code="timeout")
        call_command("check_build_status", customer="beta-inc")
        assert "acme-corp" not in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("options", "said"),
        [({"hours": 0}, "Use 1 to 2160"), ({"customer": "nobody"}, "There is no customer nobody")],
    )
    def test_with_bad_input_ends_with_2(
        self, capsys: pytest.CaptureFixture[str], options: dict[str, object], said: str
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            call_command("check_build_status", **options)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
