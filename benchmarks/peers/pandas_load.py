"""A hand-written loop: pandas, JSON messages through a pipe, COPY, merge. Arguments: address of the sandbox, organisation."""

from __future__ import annotations

import os
import sys

from benchmarks.peers.messages_to_postgres import rows
from benchmarks.peers.processes import ROOT, piped, program, tell


def main(url: str, organisation: str) -> None:
    """Load the deals, print what it took."""
    source = [program("pandas-loop", "python"), "-m", "benchmarks.peers.pandas_source", url, organisation]
    destination = [sys.executable, "-m", "benchmarks.peers.messages_to_postgres"]
    seconds, megabytes = piped(
        source, destination, {**os.environ, "PYTHONPATH": str(ROOT)}, "pandas-loop.log"
    )
    tell(rows(), seconds, megabytes)


if __name__ == "__main__":
    main(*sys.argv[1:])
