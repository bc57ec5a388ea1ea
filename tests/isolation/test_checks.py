"""The system checks notice what would open the wall."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import current_app, shared_task
from django.db import models
from django.test.utils import isolate_apps

from isolation import checks
from isolation.models import MirrorModel, SameTenantForeignKey
from tenants.models import Member


@pytest.fixture
def bare_task() -> Iterator[str]:
    @shared_task(name="tests.bare")
    def bare() -> None:
        """Touches who knows what."""

    current_app.finalize()
    yield "tests.bare"
    current_app.tasks.pop("tests.bare")


def test_the_project_passes() -> None:
    assert checks.tasks_know_their_tenant(None) == []
    assert checks.tenant_models_are_walled(None) == []


def test_a_bare_shared_task_fails(bare_task: str) -> None:
    messages = checks.tasks_know_their_tenant(None)
    assert [message.id for message in messages] == ["isolation.E010"]
    assert bare_task in messages[0].msg


@isolate_apps("tests")
def test_a_single_column_key_to_a_tenant_table_fails() -> None:
    class Loose(models.Model):
        member = models.ForeignKey(Member, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests"

    found = checks._foreign_key_problems(Loose, Loose._meta.get_field("member"), walled=False)
    assert [message.id for message in found] == ["isolation.E001"]


@isolate_apps("tests")
def test_a_key_in_a_mirror_fails() -> None:
    class Mirror(MirrorModel):
        member = SameTenantForeignKey(Member, on_delete=models.CASCADE)

        class Meta:
            app_label = "tests"

    found = checks._foreign_key_problems(Mirror, Mirror._meta.get_field("member"), walled=True)
    assert [message.id for message in found] == ["isolation.E003"]


@pytest.mark.parametrize(
    ("major", "minor", "expected"), [(15, 20, "isolation.E021"), (16, 15, "isolation.W022"), (18, 7, None)]
)
def test_old_and_leaking_servers_are_named(major: int, minor: int, expected: str | None) -> None:
    assert [message.id for message in checks._version_problems(major, minor)] == (
        [expected] if expected else []
    )
