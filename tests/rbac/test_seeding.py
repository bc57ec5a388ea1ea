"""The catalogue of roles: filled by `migrate`, right for whoever reads the tables, and left alone where it is right."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from audit.models import PlatformEntry, PlatformEvent
from isolation import context, permissions
from isolation.actors import Actor
from rbac.catalogue import catalogue_seed, standing
from rbac.checks import catalogue_is_current
from rbac.models_catalogue import CatalogueMapping, CataloguePermission, CatalogueRole
from rbac.roles import BUILT_IN, DESK_ROLES, desk_share
from rbac.selectors import actor_of
from tenants.models import Member
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db
DESK = {"desk_roles": 8, "desk_permissions": 31, "desk_mappings": 129}


def seeded(*arguments: str) -> str:
    out = io.StringIO()
    call_command("seed_rbac_data", *arguments, stdout=out)
    return out.getvalue()


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(seeded("--json"))
    return found


def spoil() -> None:
    """One row too few, one that reads differently, one too many, of each kind that can be."""
    with context.platform("spoil the catalogue", PLANTER):
        CatalogueRole.objects.filter(code="agent").update(level=1, name="Boss")
        CatalogueRole.objects.create(code="gone", name="Gone", level=9, is_desk=True, sees_everything=False)
        CatalogueMapping.objects.create(role_id="gone", permission_id="complaints.view")
        CatalogueMapping.objects.create(role_id="viewer", permission_id="system.admin")
        CataloguePermission.objects.get(code="bookings.refund").delete()


def written() -> tuple[int, int, int]:
    """Transaction of the newest row of each table: a row that is written anew has another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT sum(xmin::text::bigint) FROM rbac_cataloguerole), "
            "(SELECT sum(xmin::text::bigint) FROM rbac_cataloguepermission), "
            "(SELECT sum(xmin::text::bigint) FROM rbac_cataloguemapping)"
        )
        found: tuple[int, int, int] = cursor.fetchone() or (0, 0, 0)
        return found


def records() -> tuple[int, int]:
    with context.platform("count records", PLANTER):
        return PlatformEvent.objects.count(), PlatformEntry.objects.count() - 1


class TestSeeding:
    def test_is_done_by_migrate(self) -> None:
        assert standing().is_current

    def test_counts_eight_roles_31_permissions_and_129_mappings(self) -> None:
        counts = result()["after"]
        assert {name: counts[name] for name in DESK} == DESK
        assert counts["roles"] == len(BUILT_IN)
        assert counts["permissions"] == len(permissions.all_permissions())
        assert counts["mappings"] == sum(len(role.permissions) for role in BUILT_IN.values())

    def test_twice_gives_the_same_counts_and_writes_nothing_the_second_time(self) -> None:
        spoil()
        first = result()
        rows, seen = written(), records()
        second = result()
        assert second["before"] == second["after"] == first["after"]
        assert (second["added"], second["changed"], second["removed"]) == (0, 0, 0)
        assert written() == rows
        _, entries = records()
        assert entries == seen[1] + 1, "only this test's own second look"

    def test_says_that_nothing_was_written(self) -> None:
        told = seeded()
        assert "Nothing was written" in told
        assert "desk mappings        129    129" in told

    def test_mends_what_is_missing_different_or_too_much(self) -> None:
        spoil()
        done = result()
        assert standing().is_current
        holders = sum("bookings.refund" in role.permissions for role in BUILT_IN.values())
        assert (done["added"], done["changed"], done["removed"]) == (1 + holders, 1, 3)
        assert (CatalogueRole.objects.get(code="agent").level, CatalogueRole.objects.count()) == (5, 13)
        assert not CatalogueMapping.objects.filter(role_id="viewer", permission_id="system.admin").exists()

    def test_fills_empty_tables(self) -> None:
        with context.platform("empty the catalogue", PLANTER):
            CatalogueRole.objects.all().delete()
            CataloguePermission.objects.all().delete()
        done = result()
        assert set(done["before"].values()) == {0}
        assert {name: done["after"][name] for name in DESK} == DESK

    def test_is_on_the_platforms_record_when_it_writes(self) -> None:
        spoil()
        seeded()
        with context.platform("read the record", PLANTER):
            event = PlatformEvent.objects.filter(code="rbac.catalogue_seeded").latest("at")
        assert event.actor_label == "command seed_rbac_data"
        assert event.facts["changed"] == 1

    def test_is_refused_to_a_workspaces_admin(self, admin: Member) -> None:
        spoil()
        with pytest.raises(PermissionError):
            catalogue_seed(acting_user=actor_of(admin))
        assert not standing().is_current

    def test_says_what_a_report_reads(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT r.code, count(*) FROM rbac_cataloguerole r "
                "JOIN rbac_cataloguemapping m ON m.role_id = r.code "
                "JOIN rbac_cataloguepermission p ON p.code = m.permission_id "
                "WHERE r.is_desk AND p.is_desk GROUP BY r.code, r.level ORDER BY r.level"
            )
            assert cursor.fetchall() == [(str(role.code), len(desk_share(role))) for role in DESK_ROLES]


class TestTheTables:
    @pytest.mark.parametrize("table", ["role", "permission", "mapping"])
    @pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES"])
    def test_cannot_be_written_by_the_programs_login(self, table: str, statement: str) -> None:
        with pytest.raises((ProgrammingError, RuntimeError), match="permission denied"), transaction.atomic():
            connection.cursor().execute(statement.format(f"rbac_catalogue{table}"))

    def test_are_nothing_to_a_workspaces_roles(self, admin: Member) -> None:
        with (
            context.tenant_wide(admin.tenant_id),
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
        ):
            connection.cursor().execute("SELECT * FROM rbac_cataloguerole")


class TestTheCheck:
    def test_is_silent_while_the_tables_are_right(self) -> None:
        assert catalogue_is_current(None, databases=["default"]) == []

    def test_names_the_command_when_they_are_behind(self) -> None:
        spoil()
        messages = catalogue_is_current(None, databases=["default"])
        assert [message.id for message in messages] == ["rbac.W001"]
        assert "seed_rbac_data" in str(messages[0].hint)
        catalogue_seed(acting_user=Actor.system("tests"))
        assert catalogue_is_current(None, databases=["default"]) == []
