"""What benchmarks go by besides the clock: their command line, the least that HubSpot allows, the peers' lock files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import wall_rights
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.first_load import PEERS, REQUIREMENTS
from benchmarks.ground import ROOT, Outcome, median
from benchmarks.hubspot_load import least_calls
from benchmarks.thousand_tenants import Lateness

LOCKS = sorted({lock for peer in PEERS for lock in peer.locks} | wall_rights.PEERS.keys())


class TestTheCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["first_lode"], "There is no benchmark first_lode"),
            (["--deals", "3"], "--deals is an option of one benchmark"),
            (["first_load", "deals_page", "--rounds", "1"], "--rounds is an option of one benchmark"),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        assert said in capsys.readouterr().out

    @pytest.mark.parametrize("name", BENCHMARKS)
    def test_every_benchmark_says_how_it_is_used(self, name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"benchmarks.{name}" in done.stdout or f"{name}.py" in done.stdout


class TestTheLeastThatHubSpotAllows:
    def test_counts_lists_archives_associations_and_descriptions(self) -> None:
        live = {"companies": 101, "contacts": 200, "deals": 1_001, "calls": 1}
        archived = {"companies": 0, "contacts": 101, "deals": 1, "calls": 0}
        companies, contacts = 1 + 2 + 1, 1 + 2 + 2
        deals = 1 + 21 + 1 + 2 * 2
        calls = 1 + 1 + 1 + 1
        assert least_calls(live, archived) == 4 + companies + contacts + deals + calls


class TestFigures:
    def test_the_median_is_a_run_that_happened(self) -> None:
        runs = [Outcome(10, seconds, 1.0) for seconds in (4.0, 1.0, 3.0, 2.0)]
        assert median(runs) == Outcome(10, 2.0, 1.0)

    def test_a_share_of_the_late_ones_is_the_lateness_by_which_so_many_were_done(self) -> None:
        found = Lateness([float(second) for second in range(1, 21)], None)
        assert (found.share(0.5), found.share(0.95)) == (10.0, 19.0)


class TestTheLocksOfPeers:
    @pytest.mark.parametrize("name", LOCKS)
    def test_pin_every_package_by_hash_and_name_no_registry(self, name: str) -> None:
        text = Path(ROOT, REQUIREMENTS, f"{name}.txt").read_text()
        pins = re.findall(
            r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==[^\n]*\\\n(?:    --hash=sha256:[0-9a-f]{64})",
            text,
            re.MULTILINE,
        )
        assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 0
        assert not re.search(r"^[^#\n]*(https?:|file:|--index|--find)", text, re.MULTILINE)

    @pytest.mark.parametrize("name", LOCKS)
    def test_hold_what_is_asked_for(self, name: str) -> None:
        asked = re.findall(
            r"^([A-Za-z0-9._-]+)", Path(ROOT, REQUIREMENTS, f"{name}.in").read_text(), re.MULTILINE
        )
        locked = Path(ROOT, REQUIREMENTS, f"{name}.txt").read_text()
        assert asked
        assert all(re.search(rf"^{re.escape(package)}(\[|==)", locked, re.MULTILINE) for package in asked)


class TestTheWall:
    def test_is_measured_from_the_rows_to_the_verdict(self) -> None:
        """Its own check is in it: both sides of every page must read the same rows."""
        command = [sys.executable, "-m", "benchmarks", "wall", "--small", "--rounds", "1"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rows of deals written: 0; tables of deals locked: none" in done.stdout
        assert done.stdout.count("  one deal") == 6
