"""Starting and ending."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from .conftest import Refusal, Start, run_sandbox


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--scale", "0"], "scale 0 is out of range; an organisation has 1 to 1,000,000 deals"),
            (["--scale", "1000001"], "scale 1,000,001 is out of range"),
            (["--org", "acme"], "--org acme: must read NAME=SCALE:SEED"),
            (["--org", "a=5:1", "--org", "a=6:1"], "--org a: is there more than once"),
            (["--data", ".", "--scale", "5"], "it goes with neither --scale nor --people"),
            (["--scale", "5", "--home", "/dev/null/x"], "--home /dev/null/x: cannot be written to"),
            (["--people", "/nowhere.csv"], "people file /nowhere.csv: cannot be read"),
        ],
    )
    def test_a_command_line_that_does_not_do_is_one_line(
        self, refusal: Refusal, arguments: list[str], words: str
    ) -> None:
        assert words in refusal(*arguments)

    def test_a_taken_port_is_named_before_anything_is_made(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            process = run_sandbox("--port", port, "--scale", 5, "--home", tmp_path)
            _, said = process.communicate(timeout=20)
        assert (process.returncode, len(said.splitlines())) == (2, 1)
        assert f"--port {port}: cannot be had on 127.0.0.1" in said
        assert list(tmp_path.iterdir()) == []

    def test_help_says_how_to_sign_in(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "--help"], capture_output=True, text=True, check=True
        )
        assert "sandbox-secret-NAME" in done.stdout


class TestTheHome:
    def test_an_organisation_is_taken_up_again_with_its_changes_and_refresh_tokens(
        self, start: Start, tmp_path: Path
    ) -> None:
        arguments = ("--scale", 50, "--seed", 2, "--home", tmp_path)
        first = start(*arguments)
        crm = first.client()
        account = crm.values("SELECT Id FROM Account LIMIT 1")[0]
        crm.control("update", object="Account", id=account, fields={"Name": "Kept"})
        assert first.stop() == 0
        assert [path.suffix for path in tmp_path.iterdir()] == [".sqlite"], (
            "results of jobs go with the server"
        )
        again = start(*arguments).client()
        assert again.values(f"SELECT Name FROM Account WHERE Id = '{account}'") == ["Kept"]

    def test_its_schema_and_its_key_are_kept_too(self, start: Start, tmp_path: Path) -> None:
        arguments = ("--scale", 50, "--seed", 2, "--home", tmp_path)
        first = start(*arguments)
        crm = first.client()
        crm.control(
            "schema", object="Opportunity", rename={"field": "Region__c", "to": "Land__c"}, hide="Amount"
        )
        crm.control(
            "schema",
            object="Opportunity",
            add={"name": "Double__c", "type": "double", "formula": "Amount * 2"},
        )
        expected = (
            crm.values("SELECT Land__c FROM Opportunity"),
            crm.values("SELECT Double__c FROM Opportunity"),
        )
        key = crm.http.get(f"{crm.base}/_sandbox/jwt_key").text
        first.stop()
        again = start(*arguments).client()
        found = (
            again.values("SELECT Land__c FROM Opportunity"),
            again.values("SELECT Double__c FROM Opportunity"),
        )
        assert found == expected
        assert any(expected[1])
        assert again.query("SELECT Amount FROM Opportunity").status_code == 400
        assert again.http.get(f"{again.base}/_sandbox/jwt_key").text == key

    def test_other_files_make_another_organisation(self, start: Start, tmp_path: Path) -> None:
        data, home = tmp_path / "data", tmp_path / "home"
        data.mkdir()
        counts = []
        for rows in ("001A\n", "001A\n001B\n"):
            (data / "Account.csv").write_text(f"Id\n{rows}")
            counts.append(start("--data", data, "--home", home).client().count("Account"))
        assert counts == [1, 2]


class TestEnding:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_with_0(self, start: Start, number: signal.Signals) -> None:
        server = start("--scale", 20)
        server.process.send_signal(number)
        assert server.process.wait(10) == 0
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()

    def test_a_call_that_is_kept_waiting_does_not_hold_it_up(self, start: Start) -> None:
        server = start("--scale", 20)
        server.client().control("fault", kind="timeout", path_contains="/services/data")
        address = httpx.URL(server.url)
        with socket.create_connection((address.host, address.port)) as caller:
            caller.sendall(b"GET /services/data HTTP/1.1\r\nHost: x\r\n\r\n")
            assert server.stop() == 0

    def test_what_a_killed_build_left_is_removed_by_the_next(self, start: Start, tmp_path: Path) -> None:
        process = run_sandbox("--port", 0, "--scale", 100_000, "--home", tmp_path)
        assert process.stderr is not None
        assert "making" in process.stderr.readline()
        assert "10,000 of 100,000" in process.stderr.readline()
        process.kill()
        process.wait(10)
        assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
        left = next(tmp_path.iterdir())
        left.rename(tmp_path / left.name.replace("-100000-", "-30-"))
        start("--scale", 30, "--home", tmp_path)
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


class TestADamagedFile:
    def test_is_named_with_what_to_do(self, refusal: Refusal, tmp_path: Path) -> None:
        _only_file(tmp_path).write_bytes(b"this is no database" * 500)
        assert "remove the file if it is damaged" in refusal("--scale", 7, "--home", tmp_path)


def _only_file(home: Path) -> Path:
    """The file of a small organisation, made and left."""
    process = run_sandbox("--port", 0, "--scale", 7, "--home", home)
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0
    return next(home.glob("*.sqlite"))
