"""Airbyte's source for Salesforce, with a destination written here behind it. Arguments: address of the sandbox, organisation.

The source is Airbyte's own program from its package. It reads by Bulk, and every field of the deals: it cannot be told which.
"""

from __future__ import annotations

import json
import sys

from benchmarks.peers.messages_to_postgres import rows
from benchmarks.peers.processes import answer, piped, program, tell, variables, written


def main(url: str, organisation: str) -> None:
    """Discover, choose the deals, load them, print what it took. Discovery is done once by a user, and not timed."""
    environment, source = variables(url, organisation), program("airbyte-source", "source-salesforce")
    config = ["--config", written("airbyte-config.json", _config(organisation))]
    catalog = written(
        "airbyte-catalog.json", _chosen(answer([source, "discover", *config], environment, "airbyte.log"))
    )
    destination = [sys.executable, "-m", "benchmarks.peers.messages_to_postgres"]
    reading = [source, "read", *config, "--catalog", catalog]
    seconds, megabytes = piped(reading, destination, environment, "airbyte.log")
    tell(rows(), seconds, megabytes)


def _config(organisation: str) -> dict[str, object]:
    return {
        "client_id": f"sandbox-{organisation}", "client_secret": f"sandbox-secret-{organisation}", "refresh_token": "none",
        "start_date": "2000-01-01T00:00:00Z", "is_sandbox": False, "auth_type": "Client",
    }  # fmt: skip


def _chosen(said: str) -> dict[str, object]:
    """The catalog with the deals alone."""
    messages = map(json.loads, filter(None, said.splitlines()))
    found = next(message["catalog"] for message in messages if message["type"] == "CATALOG")
    deals = next(stream for stream in found["streams"] if stream["name"] == "Opportunity")
    return {"streams": [{"stream": deals, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}


if __name__ == "__main__":
    main(*sys.argv[1:])
