"""The live catalogue has the wall that the models declare."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from isolation import context
from isolation.proof import ACCEPTED, Level, examine_database
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def test_every_tenant_table_is_behind_the_wall() -> None:
    report = examine_database()
    assert [str(finding) for finding in report.of_level(Level.ERROR)] == []
    assert len(report.walled) > 30


def test_the_tests_run_as_the_programs_own_login() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT session_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"
        )
        assert cursor.fetchone() == ("revops_app", False)


def test_what_is_accepted_is_there_and_has_a_reason() -> None:
    accepted = {one.finding.code for one in examine_database().accepted}
    assert accepted == ACCEPTED.keys()
    assert all(len(reason) > 40 for reason in ACCEPTED.values())


def test_a_tenants_role_reads_the_same_report(acme: Tenant) -> None:
    as_login = examine_database()
    with context.tenant_wide(acme.id):
        as_tenant = examine_database()
    assert (as_login.read_as, as_tenant.read_as) == ("revops_app", "tenant_wide")
    assert (as_tenant.tables, as_tenant.findings, as_tenant.roles) == (
        as_login.tables, as_login.findings, as_login.roles,
    )  # fmt: skip


def test_the_report_names_no_tenant(acme: Tenant, beta: Tenant) -> None:
    with context.tenant_wide(acme.id):
        text = json.dumps(examine_database().as_json())
    for word in (acme.slug, acme.name, beta.slug, beta.name, "gamma"):
        assert word not in text
