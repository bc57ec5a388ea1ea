"""The first load of a HubSpot portal: calls against the least that its API allows, and how much of the portal's limit is used.

HubSpot allows a portal 190 calls in ten seconds, so a load is as quick as it is sparing. The least is worked out from what there is:
lists of 50 deals with their history, of 100 of anything else and of what was archived, associations of 1,000 records at a time, and a
call for each object's properties. The sandbox counts what it was asked, and refuses what is over the limit.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from typing import Any

from benchmarks.ground import copied, environment, migrated, sandbox, sandbox_ask, servers, told

CALLS, SECONDS = 190, 10
DEALS_A_LIST, RECORDS_A_LIST, TIES_A_CALL = 50, 100, 1_000
# The portal itself, its owners, those who left, and its pipelines.
_ONCE = 4
OVERHEAD_GOAL, USE_GOAL = 1.05, 0.8


def least_calls(live: dict[str, int], archived: dict[str, int]) -> int:
    """The fewest calls that tell all of these records, by object, with the deals' history and all associations."""
    calls = _ONCE
    for name, number in live.items():
        calls += 1 + math.ceil(number / (DEALS_A_LIST if name == "deals" else RECORDS_A_LIST))
        calls += max(1, math.ceil(archived[name] / RECORDS_A_LIST))
        calls += _ties(name) * math.ceil(number / TIES_A_CALL)
    return calls


def _ties(name: str) -> int:
    """Deals name their companies and contacts, activities their deals; contacts have their company in a property."""
    return {"companies": 0, "contacts": 0, "deals": 2}.get(name, 1)


def _tell(scale: int, rounds: list[dict[str, Any]]) -> None:
    seconds = statistics.median(each["seconds"] for each in rounds)
    calls, least = max(each["calls"] for each in rounds), rounds[0]["least"]
    peak, refused = max(each["peak"] for each in rounds), sum(each["refused"] for each in rounds)
    print(f"\n{scale:,} deals, median of {len(rounds)}: {rounds[0]['rows']:,} rows in {seconds:,.1f} s")
    print(
        f"  {calls:,} calls, the least is {least:,}: {calls / least:.3f} times (goal at most {OVERHEAD_GOAL})"
    )
    print(
        f"  {calls / seconds / (CALLS / SECONDS):.0%} of the portal's limit used (goal at least {USE_GOAL:.0%})"
    )
    print(f"  most calls in {SECONDS} seconds: {peak} of {CALLS}; refused: {refused} (goal 0)", flush=True)


def main() -> None:
    """Measure and print."""
    options = _options()
    name = "bench_hubspot_load"
    with servers() as services, migrated(services, name) as template, sandbox(portals=options.deals) as url:
        for scale in options.deals:
            control, rounds = f"{url}/_sandbox/portals/n{scale}", []
            for _ in range(options.rounds):
                sandbox_ask(f"{control}/stats", method="DELETE")
                with copied(services, template, name) as copy:
                    module = [sys.executable, "-m", "benchmarks.hubspot_load_ours", url, str(scale)]
                    loaded = told(module, environment(copy))
                rounds.append(loaded | _asked(sandbox_ask(f"{control}/stats"), loaded))
            _tell(scale, rounds)


def _asked(stats: dict[str, Any], loaded: dict[str, Any]) -> dict[str, Any]:
    least = least_calls(loaded["live"], loaded["archived"])
    refused = sum(stats["refused"].values())
    return {
        "calls": stats["total"],
        "least": least,
        "peak": stats["peak_calls_in_ten_seconds"],
        "refused": refused,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hubspot_load", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--deals", type=int, nargs="+", default=[10_000], help="scales; 100,000 take about ten minutes"
    )
    parser.add_argument("--rounds", type=int, default=1, help="of each scale (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
