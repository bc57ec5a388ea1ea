"""pycasbin asked for rights. Argument: a file of [user, right] pairs. Its last line is JSON: microseconds of a check by each of its enforcers."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import timeit
from pathlib import Path

import casbin

# The enforcer reads through all rules at each question; the fast one keeps them by user.
CHECKS, FAST_CHECKS = 7, 300
_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
"""


def main(file: str) -> None:
    """Load the rights on one workspace, ask for some, print."""
    grants = json.loads(Path(file).read_text())
    with tempfile.TemporaryDirectory() as home:
        model, policy = Path(home, "model.conf"), Path(home, "policy.csv")
        model.write_text(_MODEL)
        policy.write_text("".join(f"p, {user}, workspace, {code}\n" for user, code in grants))
        plain = casbin.Enforcer(str(model), str(policy))
        fast = casbin.FastEnforcer(str(model), str(policy), cache_key_order=[0])
    print(json.dumps({
        "a check": _median(plain, grants, CHECKS),
        "a check by its FastEnforcer": _median(fast, grants, FAST_CHECKS),
    }))  # fmt: skip


def _median(enforcer: casbin.Enforcer, grants: list[list[str]], checks: int) -> float:
    times = []
    for user, code in grants[:: max(1, len(grants) // checks)]:
        started = timeit.default_timer()
        assert enforcer.enforce(user, "workspace", code)
        times.append(timeit.default_timer() - started)
    return statistics.median(times) * 1e6


if __name__ == "__main__":
    main(sys.argv[1])
