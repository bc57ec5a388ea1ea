"""The virtual environment's builder, as far as it goes without an index."""

import sys
from pathlib import Path

import pytest

from revops_admin.runtime import install


class TestInstalling:
    def test_an_old_python_gets_one_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 9, 2))
        assert install.main(tmp_path / "venv", tmp_path / "lock") == 2
        assert capsys.readouterr().err.startswith("Python 3.11 or newer is needed, and ")

    def test_what_is_installed_already_costs_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock = tmp_path / "requirements.lock"
        lock.write_text("")
        (tmp_path / "venv").mkdir()
        installed: list[str] = []

        def note(_venv: Path, lock: Path) -> int:
            installed.append(lock.read_text())
            return 0

        monkeypatch.setattr(install, "_make", lambda _venv: 0)
        monkeypatch.setattr(install, "_install", note)
        assert [install.main(tmp_path / "venv", lock) for _ in range(2)] == [0, 0]
        lock.write_text("changed")
        assert install.main(tmp_path / "venv", lock) == 0
        assert installed == ["", "changed"]
