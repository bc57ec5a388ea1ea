"""The loop that connectors of this kind have at their heart, with nothing around it: a Bulk job, its CSV saved to a file, read by pandas
in large chunks, a JSON message a row. Arguments: address of the sandbox, organisation.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pandas
import requests

from benchmarks.peers.fields import FIELDS, FLAGS, INSTANTS, NUMBERS

CHUNK_ROWS, PAGE_ROWS, CHUNK_BYTES = 100_000, 100_000, 1024 * 1024
JOBS = "/services/data/v61.0/jobs/query"


class Salesforce:
    """A signed-in session."""

    def __init__(self, url: str, organisation: str) -> None:
        form = {
            "grant_type": "client_credentials", "client_id": f"sandbox-{organisation}",
            "client_secret": f"sandbox-secret-{organisation}",
        }  # fmt: skip
        token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()
        self.base = token["instance_url"]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def finished_job(self, query: str) -> str:
        """Order a job and wait for it; gives the address of its results."""
        order = {
            "operation": "query",
            "query": query,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        job = self.session.post(self.base + JOBS, json=order, timeout=60).json()
        while job["state"] != "JobComplete":
            time.sleep(0.05)
            job = self.session.get(f"{self.base}{JOBS}/{job['id']}", timeout=60).json()
        return f"{self.base}{JOBS}/{job['id']}/results"

    def pages(self, results: str) -> Iterator[str]:
        """Save each page to a file; gives its name, while the file is there."""
        locator = ""
        while locator != "null":
            params = {"maxRecords": str(PAGE_ROWS), **({"locator": locator} if locator else {})}
            with (
                self.session.get(results, params=params, stream=True, timeout=600) as page,
                tempfile.NamedTemporaryFile() as file,
            ):
                locator = page.headers["Sforce-Locator"]
                for chunk in page.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                file.flush()
                yield file.name


def records(file: str) -> Iterator[dict[str, Any]]:
    """The rows of a page: read as text by pandas in chunks, no value as None."""
    for chunk in pandas.read_csv(
        file, chunksize=CHUNK_ROWS, dtype=object, keep_default_na=False, na_values=[""], encoding="utf-8"
    ):
        yield from chunk.where(chunk.notnull(), None).to_dict(orient="records")


def normalised(record: dict[str, Any]) -> dict[str, Any]:
    """Values by the types of the schema: numbers and booleans are no text, instants have a spelt-out offset."""
    for name in NUMBERS:
        record[name] = float(record[name]) if record[name] is not None else None
    for name in FLAGS:
        record[name] = record[name] == "true"
    for name in INSTANTS:
        record[name] = record[name].replace("Z", "+00:00") if record[name] is not None else None
    return record


def main(url: str, organisation: str) -> None:
    """Write a line for each deal."""
    crm = Salesforce(url, organisation)
    write = sys.stdout.write
    for file in crm.pages(crm.finished_job(f"SELECT {', '.join(FIELDS)} FROM Opportunity")):
        for record in records(file):
            message = {
                "stream": "Opportunity",
                "data": normalised(record),
                "emitted_at": int(time.time() * 1000),
            }
            write(json.dumps({"type": "RECORD", "record": message}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
