"""`check_ops_data`: counts each thing that a desk needs, names what is missing, and says what to do about it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alerts.models import Rule
from isolation import context
from rbac.grants import Term, role_grant
from rbac.models_catalogue import CatalogueRole
from rbac.trial_staff import trial_staff_create
from tenants.models import Member, RoleCode, Tenant
from tests.cast import ACME, BETA, PLANTER
from tests.operations.conftest import NewItemMaker

pytestmark = pytest.mark.django_db
PIECES = ["staff", "roles", "permissions", "mappings", "alert rules", "configuration", "queue"]


def checked(*arguments: str, customer: str = ACME) -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("check_ops_data", "--customer", customer, *arguments, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(str(end.code))
    return out.getvalue(), 0


def pieces(customer: str = ACME) -> dict[str, dict[str, Any]]:
    document = json.loads(checked("--json", customer=customer)[0])
    return {piece["name"]: piece for piece in document["pieces"]}


@pytest.fixture
def furnished(acme: Tenant, put: NewItemMaker) -> Tenant:
    """A workspace whose desk has everything."""
    trial_staff_create(tenant=acme, roles=[RoleCode.AGENT, RoleCode.VIEWER], acting_user=PLANTER)
    put(acme)
    return acme


class TestAFurnishedDesk:
    def test_ends_with_0_and_lists_every_piece_as_ok(self, furnished: Tenant) -> None:
        told, code = checked()
        assert code == 0
        assert "7 of 7 are there" in told
        assert "MISSING" not in told
        assert list(pieces()) == PIECES

    def test_counts(self, furnished: Tenant) -> None:
        counts = {name: piece["count"] for name, piece in pieces().items()}
        assert counts == {
            "staff": 2, "roles": 8, "permissions": 31, "mappings": 129, "alert rules": 4, "configuration": 1, "queue": 1,
        }  # fmt: skip

    def test_counts_whoever_holds_a_desk_role_beside_another_once(
        self, furnished: Tenant, analyst: Member
    ) -> None:
        with context.tenant_wide(furnished.id):
            for role in ("support", "agent"):
                role_grant(member=analyst, role=role, term=Term(), reason="test", acting_user=PLANTER)
        assert (pieces()["staff"]["count"], pieces()["staff"]["detail"]) == (
            3,
            "2 agent, 1 support, 1 viewer",
        )

    def test_says_who_the_staff_are_and_what_waits(self, furnished: Tenant) -> None:
        assert pieces()["staff"]["detail"] == "1 agent, 1 viewer"
        assert pieces()["queue"]["detail"] == "1 open, 1 wait for a score"

    def test_is_one_workspaces_own(self, furnished: Tenant) -> None:
        theirs = pieces(BETA)
        assert (theirs["staff"]["count"], theirs["queue"]["count"]) == (0, 0)


class TestWhatIsMissing:
    def test_ends_with_1_and_says_what_to_do(self, acme: Tenant) -> None:
        told, code = checked()
        assert code == 1
        assert "5 of 7 are there" in told
        assert "manage.py create_test_staff --customer acme-corp" in told
        assert "manage.py import_priority_items --customer acme-corp FILE.csv" in told

    def test_ends_with_1_and_a_whole_document_for_json(self, acme: Tenant) -> None:
        text, code = checked("--json")
        assert (code, json.loads(text)["missing"]) == (1, 2)

    def test_counts_a_role_that_reads_differently_as_missing(self, furnished: Tenant) -> None:
        with context.platform("spoil the catalogue", PLANTER):
            CatalogueRole.objects.filter(code="agent").update(level=1)
        told, code = checked()
        assert code == 1
        assert pieces()["roles"]["count"] == 7
        assert "manage.py seed_rbac_data" in told
        call_command("seed_rbac_data", stdout=io.StringIO())
        assert checked()[1] == 0

    def test_counts_rules_that_are_switched_on_alone(self, furnished: Tenant) -> None:
        with context.tenant_wide(furnished.id):
            Rule.objects.update(is_enabled=False)
        assert pieces()["alert rules"]["state"] == "missing"
        assert "/w/acme-corp/alerts/rules/" in pieces()["alert rules"]["what_to_do"]


def test_a_workspace_that_is_not_there_is_refused() -> None:
    with pytest.raises(CommandError, match="no customer nowhere") as refusal:
        checked(customer="nowhere")
    assert refusal.value.returncode == 2
