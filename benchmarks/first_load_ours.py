"""The product's own first sync, in this process. Arguments: address of the sandbox, organisation."""

from __future__ import annotations

import json
import resource
import sys
import time

import django


def main(url: str, organisation: str) -> None:
    """Connect a workspace, sync it, print what it took."""
    django.setup()
    from crm_sync import hooks
    from crm_sync.engine.execute import execute
    from crm_sync.engine.lease import claim
    from crm_sync.models import Connection, RunState
    from crm_sync.services import connection_save, sync_request
    from isolation import context
    from isolation.actors import Actor
    from tenants.models import Tenant

    hooks._after_sync.clear()  # scoring the deals is no part of a load
    actor = Actor.system("benchmarks.first_load")
    with context.platform("benchmark", actor):
        tenant = Tenant.objects.create(slug="bench", name="Bench", tier="enterprise", crm="salesforce")
    with context.tenant_wide(tenant.id):
        connection = Connection.objects.create(tenant=tenant, source="salesforce")
        secret = f"sandbox-secret-{organisation}"
        connection_save(
            connection=connection,
            login_url=url,
            client_id=f"sandbox-{organisation}",
            secret=secret,
            acting_user=actor,
        )
        run = sync_request(connection=connection, is_full=False, acting_user=actor)
    started = time.perf_counter()
    lease = claim(tenant.id, run.id)
    assert lease is not None
    done = execute(lease, lambda result, spec: None)  # noqa: ARG005 - nobody watches
    seconds = time.perf_counter() - started
    assert done.state == RunState.SUCCEEDED, done.error_message
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": done.rows_inserted, "seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
