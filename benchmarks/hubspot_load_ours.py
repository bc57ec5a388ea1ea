"""The product's own first sync of a portal, in this process. Arguments: address of the sandbox, deals of the portal."""

from __future__ import annotations

import json
import sys

import django
import redis


def main(url: str, scale: str) -> None:
    """Connect a workspace, sync it, print what it took and how many records of each object there turned out to be."""
    django.setup()
    from django.conf import settings

    from benchmarks import workspace
    from crm_sync.connectors.hubspot.objects import OBJECTS
    from crm_sync.models import ArchivedRow
    from isolation import context

    redis.Redis.from_url(settings.REDIS_URL).flushdb()  # the last round's calls are not this one's
    workspace.without_upper_rooms()
    done = workspace.synced(workspace.connected_to_portal(url, f"n{scale}"))
    names = [spec.name for spec in OBJECTS if not spec.parent and spec.name not in {"owners", "stages"}]
    live = {name: workspace.result_of(done.run, name).rows_inserted for name in names}
    with context.tenant_wide(done.run.tenant_id):
        archived = {name: ArchivedRow.objects.filter(object_name=name).count() for name in names}
    told = {"seconds": done.seconds, "rows": done.run.rows_inserted, "live": live, "archived": archived}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
