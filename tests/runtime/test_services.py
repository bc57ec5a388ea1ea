"""The embedded servers."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from revops_admin.runtime import accounts, ports, postgres, valkey
from revops_admin.runtime import home as homes
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.services import Services, ensure_services, stop_services

ROOT = os.geteuid() == 0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home of this test's own, ended whatever happens."""
    home = tmp_path / "home"
    yield home
    stop_services(home)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestEnsuringServices:
    def test_gives_addresses_that_answer(self, services: Services) -> None:
        with psycopg.connect(services.database_url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("revops_app",)
        assert redis.Redis.from_url(services.redis_url).ping()

    def test_twice_starts_nothing_and_gives_the_same(self, served_home: Path, services: Services) -> None:
        before = postgres.find(served_home), valkey.find(served_home)
        assert ensure_services(served_home, durable=False) == services
        assert (postgres.find(served_home), valkey.find(served_home)) == before

    def test_keeps_secrets_and_data_from_other_people(self, served_home: Path, services: Services) -> None:
        assert mode(served_home / "services.json") == 0o600
        assert {mode(secret) for secret in (served_home / "secrets").iterdir()} == {0o600}
        assert mode(postgres.data_directory(served_home)) == 0o700
        assert mode(served_home / "valkey") == 0o700

    def test_wants_a_password_of_everyone(self, services: Services) -> None:
        without = "postgresql://revops_app@" + services.database_url.split("@")[1]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(without)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url("redis://" + services.redis_url.split("@")[1]).ping()

    def test_folds_the_case_of_every_letter(self, services: Services) -> None:
        with psycopg.connect(services.database_url) as connection:
            assert connection.execute("SELECT lower('ÉÑ')").fetchone() == ("éñ",)

    def test_never_runs_a_server_as_root(self, served_home: Path, services: Services) -> None:
        for server in (postgres.find(served_home), valkey.find(served_home)):
            assert server is not None
            assert psutil.Process(server.pid).uids().effective != 0


class TestAfterSigkill:
    def test_postgres_comes_back_with_its_data_on_the_same_port(self, home: Path) -> None:
        services = ensure_services(home)
        with psycopg.connect(services.database_owner_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
            connection.execute("GRANT SELECT ON kept TO revops_app")
        killed = postgres.find(home)
        assert killed is not None
        os.kill(killed.pid, signal.SIGKILL)

        assert ensure_services(home) == services
        with psycopg.connect(services.database_url) as connection:
            assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)

    def test_a_stranger_with_the_old_process_id_is_left_alone(self, home: Path) -> None:
        ensure_services(home, durable=False)
        stop_services(home)
        record = postgres.data_directory(home) / "postmaster.pid"
        record.write_text(f"{os.getpid()}\n{record.parent}\n0\n1\n")
        assert stop_services(home) == []
        ensure_services(home, durable=False)
        assert stop_services(home) == ["PostgreSQL", "Valkey"]


class TestAccounts:
    def test_an_ordinary_user_needs_no_other_account(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert accounts.choose(Path("/bin/true"), tmp_path) == accounts.Account()

    @pytest.mark.skipif(not ROOT, reason="only root has to become somebody else")
    def test_root_reaches_a_home_below_a_closed_directory(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        try:
            services = ensure_services(closed / "home", durable=False)
            psycopg.connect(services.database_url).close()
        finally:
            stop_services(closed / "home")

    @pytest.mark.skipif(not ROOT, reason="only root may start a program as nobody")
    def test_nobody_can_run_everything(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        reach = accounts._candidates()[1]  # the interpreter itself may lie where nobody could not go
        command = [sys.executable, "-m", "revops_admin.runtime", "services"]
        for action, said in (("start", "PostgreSQL: 127.0.0.1"), ("stop", "Ended PostgreSQL and Valkey")):
            argv = reach.command(*command, action, "--test", "--home", tmp_path / "home")
            done = subprocess.run(argv, cwd=homes.project_root(), capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            assert said in done.stdout


class TestHomes:
    def test_an_unusable_one_is_named_by_its_variable(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(RuntimeProblem, match=r"REVOPS_HOME: .*file cannot be used"):
            homes.prepare(tmp_path / "file")

    def test_data_of_another_major_version_is_not_passed_over(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        (home / "postgres-17").mkdir(parents=True)
        (home / "postgres-17" / "PG_VERSION").write_text("17\n")
        with pytest.raises(RuntimeProblem, match="written by PostgreSQL 17"):
            ensure_services(home)


class TestPorts:
    def test_a_taken_one_is_not_remembered_again(self, tmp_path: Path) -> None:
        homes.prepare(tmp_path)
        first = ports.remembered(tmp_path, "x")
        assert ports.remembered(tmp_path, "x") == first
        with socket.create_server((ports.HOST, first)):
            assert ports.remembered(tmp_path, "x") != first

    @pytest.mark.parametrize("text", ["", "abc", "0", "65536", "-1", "80.5", "٣"])
    def test_what_is_no_port_is_refused(self, text: str) -> None:
        with pytest.raises(RuntimeProblem, match=r"PORT: .* is not a port"):
            ports.parse(text, "PORT")
