"""tap-salesforce and target-postgres with a pipe between them, as `tap | target` is meant to be run.

Arguments: address of the sandbox, organisation. The tap reads by the query address (its Bulk is version 1 of that API, which the
sandbox does not speak); the target merges on Id in batches, by COPY into a temporary table, its fastest way.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import psycopg

from benchmarks.peers.fields import FIELDS
from benchmarks.peers.processes import answer, piped, program, tell, variables, written


def main(url: str, organisation: str) -> None:
    """Discover, choose the deals, load them, print what it took. Discovery is done once by a user, and not timed."""
    environment = variables(url, organisation)
    source = [
        program("tap-salesforce", "tap-salesforce"),
        "--config",
        written("tap.json", _tap(organisation)),
    ]
    discovered = json.loads(answer([*source, "--discover"], environment, "singer.log"))
    catalog = written("tap-catalog.json", _chosen(discovered))
    destination = [
        program("target-postgres", "target-postgres"),
        "--config",
        written("target.json", _target()),
    ]
    seconds, megabytes = piped([*source, "--properties", catalog], destination, environment, "singer.log")
    tell(_rows(), seconds, megabytes)


def _tap(organisation: str) -> dict[str, object]:
    return {
        "client_id": f"sandbox-{organisation}", "client_secret": f"sandbox-secret-{organisation}", "refresh_token": "none",
        "start_date": "2000-01-01T00:00:00Z", "api_type": "REST", "select_fields_by_default": False,
    }  # fmt: skip


def _target() -> dict[str, object]:
    address = os.environ["DATABASE_ADMIN_URL"].replace("postgresql://", "postgresql+psycopg://")
    return {
        "sqlalchemy_url": address, "default_target_schema": "peer", "use_copy": True, "load_method": "upsert",
        "activate_version": False, "process_activate_version_messages": False,
    }  # fmt: skip


def _chosen(catalog: dict[str, Any]) -> dict[str, Any]:
    """The catalog with nothing but the deals' fields selected."""
    deals = next(stream for stream in catalog["streams"] if stream["stream"] == "Opportunity")
    for each in deals["metadata"]:
        path = each["breadcrumb"]
        each["metadata"]["selected"] = not path or path[-1] in FIELDS
        if not path:
            each["metadata"] |= {"replication-method": "INCREMENTAL", "replication-key": "SystemModstamp"}
    return {"streams": [deals]}


def _rows() -> int:
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as connection:
        counted = connection.execute('SELECT count(*) FROM peer."Opportunity"').fetchone()
    assert counted is not None
    return int(counted[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
