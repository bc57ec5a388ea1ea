"""A program for ``test_supervisor``: three small processes under the real supervisor.

Arguments: the home, and what the run-once process exits with.
"""

import sys
from pathlib import Path

from revops_admin.runtime.console import Console
from revops_admin.runtime.supervisor import Process, Supervisor

_STAYS = "import os, time; print('up', os.getpid(), flush=True); time.sleep(60)"
_PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_STAYS!r}]); {_STAYS}"


def main(home: Path, code: str) -> int:
    """Run until a signal, or until the run-once process fails."""
    processes = [
        Process("parent", (sys.executable, "-c", _PARENT)),
        Process("plain", (sys.executable, "-c", _STAYS)),
    ]
    if code:
        processes.append(Process("once", (sys.executable, "-c", f"raise SystemExit({code})"), once=True))
    console = Console([process.name for process in processes])
    return Supervisor(home, console, lambda: None, lambda: "hello\n").run(processes, {})


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
