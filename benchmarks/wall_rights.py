"""Asking for a right: ours in this process, django-guardian and pycasbin each in an environment of its own. After ``django.setup()``."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import timeit
from pathlib import Path

from benchmarks.ground import HOME, ROOT, environment, told
from benchmarks.wall_ground import people
from rbac.roles import BUILT_IN
from rbac.selectors import actor_of
from revops_admin.runtime.services import Services, at_database, create_database, drop_database
from tenants.models import Member, RoleCode

CHECKS = 20
"""How many rights a request is taken to ask for."""
PEERS = {"guardian": 100.0, "pycasbin": 10.0}
"""How many times as quick ours has to be."""


def grants_of(members: list[Member]) -> list[tuple[str, str]]:
    """Everybody's rights, one by one: what peers store."""
    return [
        (str(member.id), code)
        for member in members
        for code in sorted(BUILT_IN[RoleCode(member.role)].permissions)
    ]


def ours(members: list[Member], rounds: int) -> dict[str, float]:
    """Median microseconds of a check in a request: alone, and with its share of what the request's entry costs."""
    chosen = random.Random(1).sample(members, min(rounds, len(members)))
    codes = sorted(BUILT_IN[RoleCode.REVOPS_ANALYST].permissions)
    asked = [codes[number % len(codes)] for number in range(CHECKS)]
    hot, whole = [], []
    for member in chosen:
        entered = timeit.timeit(lambda member=member: actor_of(member), number=1)
        actor, tenant_id = actor_of(member), member.tenant_id

        def check(actor: object = actor, tenant_id: int = tenant_id) -> None:
            for code in asked:
                actor.may(code, tenant_id)

        checked = timeit.timeit(check, number=50) / 50
        hot.append(checked / CHECKS * 1e6)
        whole.append((entered + checked) / CHECKS * 1e6)
    return {"a check": statistics.median(hot), "with its share of the entry": statistics.median(whole)}


def peer(name: str, services: Services, grants: Path) -> dict[str, float]:
    """What a peer tells of itself, in microseconds."""
    venv, lock = HOME / "peers" / name, f"benchmarks/peers/requirements/{name}.txt"
    subprocess.run([sys.executable, "revops_admin/runtime/install.py", venv, lock], cwd=ROOT, check=True)
    database = f"bench_{name}"
    drop_database(services, database)
    create_database(services, database)
    try:
        variables = {**environment(at_database(services, database)), "PYTHONPATH": str(ROOT)}
        variables.pop("DJANGO_SETTINGS_MODULE")
        return told([venv / "bin/python", "-m", f"benchmarks.peers.{name}_checks", grants], variables)
    finally:
        drop_database(services, database)


def compare(services: Services, *, members: int, rounds: int, with_peers: bool) -> list[str]:
    """Print; gives what missed its goal."""
    staff = people("rights", members)
    grants = grants_of(staff)
    mine = ours(staff, rounds)
    print(f"\nasking for a right, {len(grants):,} grants of {members:,} people")
    for name, microseconds in mine.items():
        print(f"  ours, {name:<44}{microseconds:12.2f} µs", flush=True)
    if not with_peers:
        return []
    file = HOME / "grants.json"
    file.write_text(json.dumps(grants))
    missed = []
    for name, goal in PEERS.items():
        told_of = peer(name, services, file)
        if told_of.pop("expired share says", 0):
            print(f"  {name}, of a share on its own key that ended a year ago: still yes")
        for what, microseconds in told_of.items():
            times = ", ".join(f"{microseconds / own:,.1f}" for own in mine.values())
            print(
                f"  {name}, {what:<{46 - len(name)}}{microseconds:12.2f} µs   times ours: {times}", flush=True
            )
        if told_of["a check"] < goal * mine["a check"]:
            missed.append(f"{name}'s check is less than {goal:g} times ours")
    file.unlink()
    return missed
