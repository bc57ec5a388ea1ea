"""Bulk API 2.0 query jobs: order, wait, read the result page by page.

A place is ``bulk:<job id>:<locator>``: a job keeps its result for days, and any page may be read again.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

from crm_sync import conf, http
from crm_sync.connectors.base import ConfigurationProblem, Page, PassingProblem, PlaceLost
from crm_sync.connectors.salesforce.client import Client

_OVER = {"Failed", "Aborted"}
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 15.0
_END = "null"


def start(client: Client, query: str, *, with_deleted: bool) -> str:
    """Order a job; gives the place of its first page."""
    order = {
        "operation": "queryAll" if with_deleted else "query",
        "query": query,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    job = client.json("POST", "jobs/query", body=order)
    return _place(job["id"], "")


def _place(job_id: str, locator: str) -> str:
    return f"bulk:{job_id}:{locator}"


def pages(client: Client, place: str, page_rows: int) -> Generator[Page]:
    """The pages of a job from a place on, waiting for it first. Each must be read to its end before the next.

    Raises: PlaceLost for a job that failed, was aborted or is forgotten: it must be ordered anew.
    """
    _, job_id, locator = place.split(":", 2)
    rows_in_all = _wait(client, job_id)
    while True:
        params = {"maxRecords": str(page_rows), **({"locator": locator} if locator else {})}
        try:
            with client.stream("GET", f"jobs/query/{job_id}/results", params=params) as response:
                said = response.headers.get("Sforce-Locator", _END)
                locator = "" if said == _END else said
                rows = response.headers.get("Sforce-NumberOfRecords", "")
                yield Page(
                    chunks=http.chunks(response),
                    after=_place(job_id, locator) if locator else "",
                    rows=int(rows) if rows.isdigit() else None,
                    rows_in_all=rows_in_all,
                )
        except ConfigurationProblem as problem:
            raise _lost(job_id, problem) from problem
        if not locator:
            return


def _lost(job_id: str, problem: ConfigurationProblem) -> PlaceLost | ConfigurationProblem:
    if problem.code == "not_found":
        return PlaceLost("job_forgotten", f"Salesforce has forgotten the Bulk job {job_id}.")
    return problem


def _wait(client: Client, job_id: str) -> int:
    """Until the job is complete; gives its number of rows. Waits longer and longer, and not for ever."""
    deadline = time.monotonic() + conf.bulk_wait_seconds()
    pause = _FIRST_WAIT_SECONDS
    while time.monotonic() < deadline:
        job = _look(client, job_id)
        if job["state"] == "JobComplete":
            return int(job.get("numberRecordsProcessed") or 0)
        if job["state"] in _OVER:
            reason = str(job.get("errorMessage") or "no reason given")[:300]
            raise PlaceLost(
                "job_failed", f"Salesforce's Bulk job {job_id} was {job['state'].lower()}: {reason}."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)
    raise PassingProblem("job_slow", f"Salesforce's Bulk job {job_id} was not ready in time.")


def _look(client: Client, job_id: str) -> Any:
    try:
        return client.json("GET", f"jobs/query/{job_id}")
    except ConfigurationProblem as problem:
        raise _lost(job_id, problem) from problem
