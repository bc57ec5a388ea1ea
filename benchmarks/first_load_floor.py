"""The least that a load can be: the same bytes, one COPY and one INSERT an object.

Arguments: address of the sandbox, organisation, and objects (none: all). With objects, the rows that are told are those of the last one.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

import django
import psycopg

from benchmarks.peers.processes import tell

CHUNK_BYTES = 256 * 1024
API = "/services/data/v61.0/jobs/query"


class Salesforce:
    """Just enough of it."""

    def __init__(self, url: str, organisation: str) -> None:
        form = {
            "grant_type": "client_credentials", "client_id": f"sandbox-{organisation}",
            "client_secret": f"sandbox-secret-{organisation}",
        }  # fmt: skip
        request = urllib.request.Request(  # noqa: S310 - the sandbox, by the address that we started it at
            f"{url}/services/oauth2/token", urllib.parse.urlencode(form).encode()
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            token = json.load(answer)
        self.base = token["instance_url"]
        self.headers = {
            "Authorization": f"Bearer {token['access_token']}",
            "Content-Type": "application/json",
        }

    def call(self, path: str, body: object = None) -> Any:
        """An open answer."""
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.urlopen(urllib.request.Request(self.base + path, data, self.headers))  # noqa: S310 - the sandbox

    def job(self, query: str) -> str:
        """A finished job."""
        with self.call(API, {"operation": "query", "query": query}) as answer:
            job = json.load(answer)
        while job["state"] != "JobComplete":
            time.sleep(0.05)
            with self.call(f"{API}/{job['id']}") as answer:
                job = json.load(answer)
        return f"{API}/{job['id']}/results?maxRecords=100000"


def main(url: str, organisation: str, *objects: str) -> None:
    """Load everything, print what it took."""
    django.setup()
    from crm_sync.connectors.salesforce.objects import OBJECTS
    from crm_sync.connectors.salesforce.source import soql, without_fields
    from crm_sync.engine.sql import STAGE, fillers, joins, quoted, table_of, values

    rows, started = 0, time.perf_counter()
    crm = Salesforce(url, organisation)
    parameters = {"tenant": 1, "source": "salesforce", "currency": "USD"}
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as connection:
        for declared in OBJECTS:
            if objects and declared.name not in objects:
                continue
            spec = without_fields(declared, {"CurrencyIsoCode"})
            columns = ", ".join(quoted(name) for name in spec.fields)
            texts = ", ".join(f"{quoted(name)} text" for name in spec.fields)
            connection.execute(f"CREATE TEMPORARY TABLE {STAGE} ({texts}) ON COMMIT DROP")
            copy_in = f"COPY {STAGE} FROM STDIN (FORMAT csv, HEADER, FORCE_NULL ({columns}))"
            results, locator = crm.job(soql(spec, None)), ""
            while locator != "null":
                with crm.call(results + (f"&locator={locator}" if locator else "")) as page:
                    locator = page.headers["Sforce-Locator"]
                    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
                        while chunk := page.read(CHUNK_BYTES):
                            copy.write(chunk)
            filled, left = values(spec), fillers(spec)
            sql = f"""
                INSERT INTO {table_of(spec.model)} (tenant_id, source, {", ".join([*filled, *left])})
                SELECT %(tenant)s, %(source)s, {", ".join([*filled.values(), *left.values()])}
                FROM {STAGE} s {joins(spec)}
                ON CONFLICT (tenant_id, source, external_id) DO NOTHING
            """
            loaded = connection.execute(sql, parameters).rowcount
            rows = loaded if objects else rows + loaded
            connection.commit()
    seconds = time.perf_counter() - started
    tell(rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
