"""The compose file, the image and the deployment guide, as far as they can be checked without an engine."""

import os
import re
import subprocess
import sys
from typing import Any

import psycopg
import pytest
import yaml

from revops_admin.runtime import database
from revops_admin.runtime import home as homes
from revops_admin.runtime.__main__ import main
from revops_admin.runtime.services import Services, drop_database

ROOT = homes.project_root()
OURS = {"migrate", "web", "worker", "beat"}
SECRETS = {
    "DATABASE_ADMIN_PASSWORD",
    "DATABASE_OWNER_PASSWORD",
    "DATABASE_APP_PASSWORD",
    "REDIS_PASSWORD",
    "SECRET_KEY",
    "FIELD_ENCRYPTION_KEYS",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The parsed compose file."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


class TestTheComposeFile:
    def test_runs_the_whole_set(self, compose: dict[str, Any]) -> None:
        assert set(compose["services"]) == OURS | {"postgres", "redis"}

    def test_demands_every_secret_and_holds_none(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()
        assert set(re.findall(r"\$\{(\w+):\?", text)) >= SECRETS
        assert not re.findall(rf"\$\{{({'|'.join(SECRETS)})(?::?-|\}})", text)

    def test_opens_nothing_but_the_web_port_of_this_machine(self, compose: dict[str, Any]) -> None:
        opened = {
            name: service["ports"] for name, service in compose["services"].items() if "ports" in service
        }
        assert opened == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}

    def test_gives_the_owners_and_administrators_logins_to_migrations_alone(
        self, compose: dict[str, Any]
    ) -> None:
        for name in OURS - {"migrate"}:
            assert not {"DATABASE_ADMIN_URL", "DATABASE_OWNER_URL"} & set(
                compose["services"][name]["environment"]
            )

    def test_migrates_before_anything_runs(self, compose: dict[str, Any]) -> None:
        for name in OURS - {"migrate"}:
            waits = compose["services"][name]["depends_on"]
            assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert compose["services"]["migrate"]["restart"] == "no"

    @pytest.mark.parametrize("name", sorted(OURS))
    def test_lets_the_program_write_to_its_volumes_only(self, compose: dict[str, Any], name: str) -> None:
        service = compose["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])

    def test_every_variable_is_in_the_guide(self) -> None:
        used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
        described = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE))
        assert used <= described


class TestTheImage:
    def test_runs_as_an_ordinary_user_and_is_asked_for_its_health(self) -> None:
        last = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1]
        assert "\nUSER revops\n" in last
        assert "HEALTHCHECK" in last
        assert "requirements-dev" not in last


class TestBootstrappingAServer:
    def test_makes_the_logins_that_the_addresses_name(self, services: Services) -> None:
        assert services.database_admin_url is not None
        variables = {
            "DATABASE_ADMIN_URL": database.to_database(services.database_admin_url, "postgres"),
            "DATABASE_OWNER_URL": database.to_database(services.database_owner_url, "deployed"),
            "DATABASE_URL": database.to_database(services.database_url, "deployed"),
        }
        command = [sys.executable, "-m", "revops_admin.runtime", "bootstrap"]
        for _ in range(2):
            subprocess.run(command, env=os.environ | variables, cwd=ROOT, check=True)
        with psycopg.connect(variables["DATABASE_OWNER_URL"]) as owner:
            owner.execute("CREATE TABLE made (id int)")
        drop_database(services, "deployed")

    @pytest.mark.parametrize("name", ["DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "DATABASE_URL"])
    def test_names_what_is_missing(
        self,
        services: Services,
        name: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        urls = (services.database_admin_url, services.database_owner_url, services.database_url)
        for variable, url in zip(
            ("DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "DATABASE_URL"), urls, strict=True
        ):
            monkeypatch.setenv(variable, str(url))
        monkeypatch.delenv(name)
        assert main(["bootstrap"]) == 2
        assert capsys.readouterr().err.startswith(f"{name} is not set")
