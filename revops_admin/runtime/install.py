"""Builds the virtual environment from a lock file; run by the Makefile, as a file, with the system's Python.

It speaks old Python (3.6), so that an old one can say that it is too old.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parents[2]


def main(venv: Path, lock: Path) -> int:
    """Make ``venv`` hold exactly what ``lock`` says; nothing to do costs nothing. Return an exit code."""
    if sys.version_info[:2] < OLDEST:
        return _refuse(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, "
            f"and {sys.executable} is {sys.version.split()[0]}. "
            "Install a newer one, or name it: make PYTHON=/path/to/python3"
        )
    stamp, wanted = venv / f".{lock.name}", _fingerprint(lock)
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    code = _make(venv) or _install(venv, lock)
    if code == 0:
        stamp.write_text(wanted)
    return code


def _fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def _make(venv: Path) -> int:
    if _python(venv).exists():
        return 0
    _say(f"Making the virtual environment {venv} …")
    command = [sys.executable, "-m", "venv", str(venv)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode == 0:
        return 0
    shutil.rmtree(str(venv), ignore_errors=True)
    sys.stderr.write(done.stdout.decode("utf-8", "replace"))
    return _refuse(
        f"{sys.executable} cannot make a virtual environment in {venv}. "
        "On Debian and Ubuntu: apt-get install python3-venv"
    )


def _install(venv: Path, lock: Path) -> int:
    _say(f"Installing {lock.name} …")
    pip = [str(_python(venv)), "-m", "pip", "--disable-pip-version-check"]
    if _uv_will_do(pip) and subprocess.call([*_uv(venv), "--require-hashes", "-r", str(lock)]) == 0:
        return 0
    code = subprocess.call([*pip, "install", "--quiet", "--require-hashes", "-r", str(lock)])
    return code and _refuse(f"The packages of {lock} could not be installed; the lines above say why.")


def _uv_will_do(pip: "list[str]") -> bool:
    """Use uv unless pip has settings: uv does not read them, and would miss the user's own index."""
    if not shutil.which("uv") or any(name.startswith("PIP_") for name in os.environ):
        return False
    return not subprocess.run([*pip, "config", "list"], stdout=subprocess.PIPE, check=False).stdout.strip()


def _uv(venv: Path) -> "list[str]":
    return ["uv", "pip", "install", "--quiet", "--python", str(_python(venv))]


def _python(venv: Path) -> Path:
    return venv / "bin" / "python"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _refuse(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), ROOT / sys.argv[2]))
