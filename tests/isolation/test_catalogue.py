"""The live catalogue has the wall that the models declare."""

from __future__ import annotations

import pytest
from django.db import connection

from isolation import catalogue

pytestmark = pytest.mark.django_db


def test_every_tenant_table_is_behind_the_wall() -> None:
    assert [str(finding) for finding in catalogue.examine()] == []


def test_the_tests_run_as_the_programs_own_login() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT session_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"
        )
        assert cursor.fetchone() == ("revops_app", False)


def test_exemptions_give_reasons() -> None:
    assert all(len(reason) > 20 for reason in catalogue.EXEMPT.values())
