"""``make bench``: every benchmark after the other, or those named. After one name, options are that benchmark's own."""

from __future__ import annotations

import importlib
import subprocess
import sys
from itertools import takewhile

BENCHMARKS = (
    "first_load",
    "nothing_changed",
    "hubspot_load",
    "rest_or_bulk",
    "thousand_tenants",
    "deals_page",
    "signed_context",
    "wall",
)
USAGE = """\
python -m benchmarks [NAME ...]            every benchmark, or those named
python -m benchmarks NAME [OPTION ...]     one with options of its own; NAME --help lists them
"""


def main(arguments: list[str]) -> int:
    """Run them; 0 if all ran to their end."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(_help())
        return 0
    names = list(takewhile(lambda argument: not argument.startswith("-"), arguments))
    options = arguments[len(names) :]
    if problem := _problem(names, options):
        print(problem)
        return 2
    codes = []
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        codes.append(
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode
        )
    return max(codes)


def _problem(names: list[str], options: list[str]) -> str:
    """What is wrong with the command line; "" for nothing."""
    if unknown := set(names) - set(BENCHMARKS):
        return f"There is no benchmark {', '.join(sorted(unknown))}. Use one of: {', '.join(BENCHMARKS)}."
    if options and len(names) != 1:
        return f"{options[0]} is an option of one benchmark: name the one before it."
    return ""


def _help() -> str:
    lines = [
        (name, str(importlib.import_module(f"benchmarks.{name}").__doc__).splitlines()[0])
        for name in BENCHMARKS
    ]
    return USAGE + "\n" + "\n".join(f"  {name:<18}{line}" for name, line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
