"""A workspace is made whole or not at all, and a dry run says exactly what a run makes."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from isolation import context
from rbac.models import Group
from tenants import provisioning
from tenants.models import SettingsVersion, Tenant
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db
ARGUMENTS = [
    "--customer",
    "Delta & Söhne GmbH",
    "--tier",
    "growth",
    "--crm",
    "salesforce",
    "--timezone",
    "Europe/Berlin",
]
SLUG = "delta-s-hne-gmbh"


@pytest.fixture(autouse=True)
def config_directory(settings: Any, tmp_path: Path) -> Path:
    settings.TENANT_CONFIG_DIR = tmp_path / "configs"
    return tmp_path / "configs"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("provision_workspace", *arguments, stdout=out)
    return out.getvalue()


def slugs() -> set[str]:
    with context.platform("look", PLANTER):
        return set(Tenant.objects.values_list("slug", flat=True))


class TestProvisioning:
    def test_makes_tenant_groups_settings_and_file(self, config_directory: Path) -> None:
        run(*ARGUMENTS)
        with context.platform("look", PLANTER):
            tenant = Tenant.objects.get(slug=SLUG)
        with context.tenant_wide(tenant.id):
            groups = dict(Group.objects.values_list("name", "role"))
            assert SettingsVersion.objects.get().version == 1
            assert Event.objects.filter(code="tenants.provisioned").count() == 1
        assert groups == {
            f"{SLUG}-revops-admins": "customer_admin",
            f"{SLUG}-revops-analysts": "revops_analyst",
            f"{SLUG}-revops-managers": "sales_manager",
            f"{SLUG}-revops-reps": "sales_rep",
        }
        document = json.loads((config_directory / f"{SLUG}.json").read_text())
        assert document["thresholds"]["health"] == {"critical": 40, "at_risk": 60, "monitor": 80}
        assert document["tier"] == "growth"

    def test_dry_run_prints_the_same_list_and_writes_nothing(self, config_directory: Path) -> None:
        planned = json.loads(run(*ARGUMENTS, "--dry-run", "--json"))
        assert SLUG not in slugs()
        assert not config_directory.exists()
        made = json.loads(run(*ARGUMENTS, "--json"))
        assert planned["resources"] == made["resources"]
        kinds = {resource["kind"] for resource in made["resources"]}
        assert {"tenant", "settings", "group", "dataset", "schedule", "file"} <= kinds

    def test_writes_its_result_to_a_file(self, tmp_path: Path) -> None:
        run(*ARGUMENTS, "--output", str(tmp_path / "results.json"))
        assert json.loads((tmp_path / "results.json").read_text())["customer_id"] == SLUG

    def test_leaves_no_trace_when_a_step_fails(
        self, monkeypatch: pytest.MonkeyPatch, config_directory: Path
    ) -> None:
        def break_down(*_: object) -> None:
            raise RuntimeError("the last step broke")

        broken = provisioning.Step("tests.broken", lambda _: [], break_down)
        monkeypatch.setitem(provisioning._steps, "tests.broken", broken)
        with pytest.raises(RuntimeError):
            run(*ARGUMENTS)
        assert SLUG not in slugs()
        assert not list(config_directory.glob("*")) if config_directory.exists() else True

    def test_leaves_no_trace_when_the_file_cannot_be_written(self, settings: Any, tmp_path: Path) -> None:
        (tmp_path / "occupied").write_text("")
        settings.TENANT_CONFIG_DIR = tmp_path / "occupied"
        with pytest.raises(CommandError, match="cannot be written"):
            run(*ARGUMENTS)
        assert SLUG not in slugs()

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (("--tier", "gold"), "“gold” is not a tier. Use one of: starter, growth, enterprise."),
            (("--crm", "pipedrive"), "“pipedrive” is not a crm. Use one of: salesforce, hubspot."),
            (
                ("--timezone", "Mars/Base"),
                "“Mars/Base” is not a time zone. Use an IANA name like America/Los_Angeles.",
            ),
            (("--customer", "!!!"), "has no letters or digits"),
            (("--customer", "ACME corp"), "The workspace acme-corp exists already."),
            (("--output", "/nowhere/at/all.json"), "there is no directory /nowhere/at"),
        ],
    )
    def test_refuses_bad_input_with_a_sentence(self, change: tuple[str, str], sentence: str) -> None:
        with pytest.raises(CommandError, match=re.escape(sentence)) as refused:
            run(*ARGUMENTS, *change)
        assert refused.value.returncode == 2


def test_list_customers_shows_every_workspace() -> None:
    out = StringIO()
    call_command("list_customers", "--json", stdout=out)
    rows = {row["customer_id"]: row for row in json.loads(out.getvalue())}
    assert rows["acme-corp"]["tier"] == "enterprise"
    assert rows["acme-corp"]["members"] == 7
    assert rows["gamma-labs"]["kind"] == "partner"
