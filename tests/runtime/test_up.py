"""``up``, ``down`` and ``reset``: what they refuse, and what they delete."""

import fcntl
import io
import socket
from pathlib import Path

import pytest

from revops_admin.runtime import __main__ as commands
from revops_admin.runtime import home as homes
from revops_admin.runtime import ports, up
from revops_admin.runtime.place import Place, greeting


class TestRefusals:
    """Each is one line that names the variable, exit code 2, and nothing started."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        return tmp_path / "home"

    def refused(self, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
        assert commands.main(["up", "--home", str(home)]) == commands.PROBLEM
        assert not (home / "postgres-18").exists()
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    @pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT"])
    def test_a_taken_port(
        self, home: Path, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with socket.create_server((ports.HOST, 0)) as taken:
            monkeypatch.setenv(variable, str(taken.getsockname()[1]))
            assert self.refused(home, capsys).startswith(f"{variable}: port ")

    @pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT"])
    def test_no_port_at_all(
        self, home: Path, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv(variable, "eighty")
        assert self.refused(home, capsys).startswith(f"{variable}: 'eighty' is not a port")

    def test_one_port_for_both(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SANDBOX_PORT", "8000")
        assert self.refused(home, capsys).startswith("SANDBOX_PORT: 8000 is PORT as well")

    def test_an_unusable_home(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "file"
        file.touch()
        assert self.refused(file, capsys).startswith(f"REVOPS_HOME: {file} cannot be used")

    def test_a_second_one_in_the_same_home(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        homes.prepare(home)
        with (home / "run" / "up.pid").open("w") as record:
            fcntl.flock(record, fcntl.LOCK_EX)
            record.write("4711")
            record.flush()
            assert "already runs" in (line := self.refused(home, capsys))
        assert "process 4711" in line


class TestDown:
    def test_with_nothing_running_says_so(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert commands.main(["down", "--home", str(tmp_path / "never")]) == 0
        assert "Nothing of" in capsys.readouterr().out

    def test_leaves_a_stranger_with_the_recorded_number_alone(self, tmp_path: Path) -> None:
        homes.prepare(tmp_path)
        (tmp_path / "run" / "up.pid").write_text("1")
        assert up.down(tmp_path) == []


class TestReset:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        home = tmp_path / "home"
        homes.prepare(home)
        (home / "demo.json").write_text("{}")
        (home / "postgres-18").mkdir()
        return home

    def test_deletes_nothing_without_a_yes(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
        assert commands.main(["reset", "--home", str(home)]) == 1
        assert "CONFIRM=yes" in capsys.readouterr().err
        assert (home / "demo.json").exists()

    def test_deletes_the_home(self, home: Path) -> None:
        assert commands.main(["reset", "--yes", "--home", str(home)]) == 0
        assert not home.exists()

    def test_leaves_what_it_did_not_make(self, home: Path) -> None:
        (home / "thesis.tex").touch()
        commands.main(["reset", "--yes", "--home", str(home)])
        assert [path.name for path in home.iterdir()] == ["thesis.tex"]


def test_the_greeting_shows_every_address_and_sign_in(tmp_path: Path) -> None:
    demo = tmp_path / "demo.json"
    demo.write_text(
        '{"web": "", "sandbox": "", "accounts": [{"email": "rep@acme.example", "password": "secret", '
        '"role": "sales_rep", "tenant": "acme-corp"}, {"email": "op@example.com", "password": "secret2", '
        '"role": "operator", "tenant": null}], "partners": [{"access_key": "rk_1", "tenant": "northwind"}]}'
    )
    text = greeting(Place(tmp_path, 8000, 8001))
    shown = (
        "http://127.0.0.1:8000",
        "http://127.0.0.1:8001",
        "rep@acme.example",
        "secret2",
        "rk_1",
        "northwind",
    )
    assert [part for part in shown if part not in text] == []
