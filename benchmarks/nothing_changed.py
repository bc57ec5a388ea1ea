"""The runs after the first: what one costs where nothing changed, and whether cost grows with the change or with the table.

For each scale: a first load, then runs after no change, after 0.1 % of the deals changed, and after 1,000 changed. Counted are the
calls that the CRM saw and the rows that PostgreSQL wrote, by its own statistics; what upper rooms do afterwards is left out.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.ground import copied, environment, migrated, sandbox, servers, told
from revops_admin.runtime.services import Services

SAME_CHANGE = 1_000
GROWTH_GOAL = 1.5


@dataclass(frozen=True)
class Ground:
    """Where it happens: the servers, a database to copy, and the CRM's address."""

    services: Services
    template: str
    url: str


def measured(ground: Ground, scale: int, rounds: int) -> list[dict[str, Any]]:
    """What runs at a scale came to, one document for each size of change."""
    changes = sorted({0, scale // 1_000, SAME_CHANGE})
    with copied(ground.services, ground.template, "bench_nothing_changed") as copy:
        module = [sys.executable, "-m", "benchmarks.nothing_changed_ours"]
        document = told([*module, ground.url, str(scale), str(rounds), *map(str, changes)], environment(copy))
    for line in document["lines"]:
        _tell(scale, line)
    found: list[dict[str, Any]] = document["lines"]
    return found


def _tell(scale: int, line: dict[str, Any]) -> None:
    print(
        f"  {scale:>9,} deals {line['changed']:>6,} changed {line['seconds']:8.2f} s {line['calls']:5,} calls"
        f" {line['read']:>7,} rows read {line['mirror']:>7,} written to the mirror {line['others']:>7,} to other tables",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    options = _options()
    scales = sorted(options.deals)
    with (
        servers() as services,
        migrated(services, "bench_nothing_changed") as template,
        sandbox(scales) as url,
    ):
        ground = Ground(services, template, url)
        print(f"\nruns after the first, median of {options.rounds}", flush=True)
        found = {scale: measured(ground, scale, options.rounds) for scale in scales}
    idle = max(lines[0]["mirror"] for lines in found.values())
    print(f"\nWritten to the mirror where nothing changed: {idle} (goal 0)")
    if len(scales) > 1:
        seconds = [_at(found[scale], SAME_CHANGE) for scale in scales[-2:]]
        growth = seconds[1] / seconds[0]
        print(
            f"{SAME_CHANGE:,} changed deals at {scales[-1]:,} over {scales[-2]:,}: {growth:.2f} (goal at most {GROWTH_GOAL})"
        )


def _at(lines: list[dict[str, Any]], changed: int) -> float:
    return next(float(line["seconds"]) for line in lines if line["changed"] == changed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nothing_changed", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--deals", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5, help="of each change (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
