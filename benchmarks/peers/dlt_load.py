"""dlt loading the deals by its usual way: REST pages, merged on Id. Arguments: address of the sandbox, organisation."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator

import dlt
from dlt.sources.helpers import requests

from benchmarks.peers.fields import FIELDS
from benchmarks.peers.processes import tell


def main(url: str, organisation: str) -> None:
    """Load the deals, print what it took."""
    form = {
        "grant_type": "client_credentials", "client_id": f"sandbox-{organisation}",
        "client_secret": f"sandbox-secret-{organisation}",
    }  # fmt: skip
    token = requests.post(f"{url}/services/oauth2/token", data=form).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    @dlt.resource(name="opportunity", primary_key="Id", write_disposition="merge")
    def deals() -> Iterator[list[dict[str, object]]]:
        answer = requests.get(
            f"{token['instance_url']}/services/data/v61.0/query",
            params={"q": f"SELECT {', '.join(FIELDS)} FROM Opportunity"}, headers=headers,
        ).json()  # fmt: skip
        while True:
            yield [
                {name: value for name, value in row.items() if name != "attributes"}
                for row in answer["records"]
            ]
            if answer["done"]:
                return
            answer = requests.get(token["instance_url"] + answer["nextRecordsUrl"], headers=headers).json()

    destination = dlt.destinations.postgres(os.environ["DATABASE_ADMIN_URL"])
    with tempfile.TemporaryDirectory() as home:
        pipeline = dlt.pipeline("bench", destination=destination, dataset_name="peer", pipelines_dir=home)
        started = time.perf_counter()
        pipeline.run(deals())
        seconds = time.perf_counter() - started
        rows = pipeline.last_trace.last_normalize_info.row_counts["opportunity"]
    tell(rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
