"""What the settings are given."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from revops_admin.runtime import environment
from revops_admin.runtime.services import Services


class TestLoading:
    def test_finds_the_running_servers_and_makes_the_secrets_once(
        self, served_home: Path, services: Services
    ) -> None:
        values = environment.load(served_home)
        assert values["DATABASE_URL"] == services.database_url
        assert values["DATABASE_OWNER_URL"] == services.database_owner_url
        assert values["REDIS_URL"] == services.redis_url
        assert len(values["SECRET_KEY"]) >= 40
        Fernet(values["FIELD_ENCRYPTION_KEYS"])
        assert environment.load(served_home) == values

    def test_without_servers_leaves_the_addresses_out(self, tmp_path: Path) -> None:
        assert "DATABASE_URL" not in environment.load(tmp_path / "home")

    def test_follows_the_ports(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PORT", "9000")
        monkeypatch.setenv("SANDBOX_PORT", "")
        values = environment.load(tmp_path / "home")
        assert (values["WEB_URL"], values["SANDBOX_URL"]) == (
            "http://127.0.0.1:9000",
            "http://127.0.0.1:8001",
        )

    def test_never_hands_the_administrators_login_to_the_program(
        self, tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", str(services.database_admin_url))
        values = environment.load(tmp_path / "home")
        assert (values["DATABASE_URL"], values["DATABASE_OWNER_URL"]) == (
            services.database_url,
            services.database_owner_url,
        )

    def test_forgets_a_record_that_another_address_made(
        self, served_home: Path, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://revops_app:x@db.example/revops")
        monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://revops_owner:x@db.example/revops")
        assert "db.example" in environment.load(served_home)["DATABASE_URL"]

    def test_on_a_server_reads_the_environment_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = {
            "SECRET_KEY": "s",
            "DATABASE_URL": "postgresql://nowhere.invalid/x",
            "REDIS_URL": "redis://r",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        values = environment.load(tmp_path / "home")
        assert {name: values[name] for name in given} == given
        assert values["FIELD_ENCRYPTION_KEYS"] == ""
        assert not (tmp_path / "home").exists()
