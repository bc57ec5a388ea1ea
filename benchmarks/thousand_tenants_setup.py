"""Makes workspaces by the product's own services. Arguments: address of the sandbox, how many, deals of each, deals of the large one."""

from __future__ import annotations

import json
import sys
import time

import django


def main(url: str, tenants: str, deals: str, large: str) -> None:
    """Provision and connect them, schedules at rest; print how long it took."""
    django.setup()
    from benchmarks.workspace import ACTOR, provisioned
    from crm_sync.models import SyncSchedule
    from isolation import context

    started = time.perf_counter()
    for number in range(int(tenants)):
        provisioned(f"Small {number:05}", url, f"n{deals}")
    if int(large):
        provisioned("Large", url, f"n{large}")
    with context.platform("benchmark", ACTOR):
        SyncSchedule.objects.update(is_paused=True)
    print(json.dumps({"tenants": int(tenants), "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(*sys.argv[1:])
