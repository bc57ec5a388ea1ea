"""Changed rows by the query address and as a Bulk job: seconds of each, and from how many rows on the job is the quicker way.

A real Bulk job waits before it is done, a little or long, whatever it gives; so it is measured with the sandbox's jobs taking at least 0,
2 and 10 seconds. Rows are read and thrown away: the database has no part in this. Behind each line stands up to how many rows the product
would ask the query address, worked out of what it measured on the way through these reads, the small ones first.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.ground import copied, environment, migrated, sandbox, sandbox_ask, servers, told

ROWS = (100, 500, 2_000, 10_000, 50_000, 200_000)


def main() -> None:
    """Measure and print."""
    options = _options()
    name, scale = "bench_rest_or_bulk", max(options.rows)
    with servers() as services, migrated(services, name) as template, sandbox([scale]) as url:
        control = f"{url}/_sandbox/orgs/n{scale}"
        sandbox_ask(f"{control}/limits", {"daily": 100_000_000, "bulk_jobs": 100_000_000})
        for delay in options.delays:
            sandbox_ask(f"{control}/bulk_job_delay", {"seconds": delay})
            numbers = map(str, (scale, options.rounds, *options.rows))
            with copied(services, template, name) as copy:
                found = told(
                    [sys.executable, "-m", "benchmarks.rest_or_bulk_ours", url, *numbers], environment(copy)
                )
            _tell(delay, options.rounds, found["lines"])


def _tell(delay: float, rounds: int, lines: list[dict[str, float]]) -> None:
    print(f"\nBulk jobs take at least {delay:g} s; median of {rounds}")
    for line in lines:
        ratio, threshold = line["bulk"] / line["rest"], line["threshold"]
        goes_by = f"{threshold:,} rows" if threshold is not None else "its setting"
        print(
            f"  {line['rows']:>9,} rows  REST {line['rest']:8.2f} s  Bulk {line['bulk']:8.2f} s  {ratio:7.2f} x"
            f"  the product would go by {goes_by}"
        )
    quicker = [line["rows"] for line in lines if line["bulk"] <= line["rest"]]
    print(
        f"  Bulk is the quicker way from {quicker[0]:,} rows of these on."
        if quicker
        else "  REST is the quicker way for all.",
        flush=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rest_or_bulk", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=int, nargs="+", default=list(ROWS), help="the largest is the organisation's size"
    )
    parser.add_argument("--delays", type=float, nargs="+", default=[0, 2, 10], metavar="SECONDS")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
