"""Bulk API 2.0 query jobs: order, wait, read the result page by page.

A place is ``bulk:<job id>:<rows before it>:<locator>``: a job keeps its result for days, and any page may be read again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from crm_sync import conf
from crm_sync.connectors.base import ConfigurationProblem, PassingProblem, PlaceLost
from crm_sync.connectors.salesforce.client import Client
from crm_sync.engine.pace import Pace

_OVER = {"Failed", "Aborted"}
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 15.0
_END = "null"


@dataclass(frozen=True)
class Place:
    """A page of a job's result: ``locator`` is "" for the first one; ``rows`` is how many stand before it, None where nobody said."""

    job_id: str
    rows: int | None = 0
    locator: str = ""

    @classmethod
    def of(cls, text: str) -> Place:
        """Raises: PlaceLost for what no place looks like."""
        match text.split(":", 3):
            case ["bulk", job_id, rows, locator] if not rows or rows.isdecimal():
                return cls(job_id, int(rows) if rows else None, locator)
        raise PlaceLost("place_lost", "The place where the reading stopped is noted as another version did.")

    def __str__(self) -> str:
        return f"bulk:{self.job_id}:{'' if self.rows is None else self.rows}:{self.locator}"

    def after(self, rows: int | None, locator: str) -> Place:
        """The place behind a page of so many rows."""
        known = None if self.rows is None or rows is None else self.rows + rows
        return Place(self.job_id, known, locator)


class Jobs:
    """The jobs of one organisation; remembers when each was ordered, to measure what it took."""

    def __init__(self, client: Client, pace: Pace) -> None:
        self._client = client
        self._pace = pace
        self._ordered: dict[str, float] = {}

    def start(self, query: str, *, with_deleted: bool) -> str:
        """Order a job; gives the place of its first page."""
        order = {
            "operation": "queryAll" if with_deleted else "query",
            "query": query,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        job_id = self._client.json("POST", "jobs/query", body=order)["id"]
        self._ordered[job_id] = time.monotonic()
        return str(Place(job_id))

    def wait(self, job_id: str) -> int:
        """Until the job is complete; gives its number of rows. Waits longer and longer, and not for ever.

        Raises: PlaceLost for a job that failed, was aborted or is forgotten: it must be ordered anew.
        """
        deadline, pause = time.monotonic() + conf.bulk_wait_seconds(), _FIRST_WAIT_SECONDS
        while time.monotonic() < deadline:
            with forgotten(job_id):
                job = self._client.json("GET", f"jobs/query/{job_id}")
            if job["state"] == "JobComplete":
                self._note_order(job, is_exact=pause > _FIRST_WAIT_SECONDS)
                return int(job.get("numberRecordsProcessed") or 0)
            if job["state"] in _OVER:
                reason = str(job.get("errorMessage") or "no reason given")[:300]
                sentence = f"Salesforce's Bulk job {job_id} was {job['state'].lower()}: {reason}."
                raise PlaceLost("job_failed", sentence)
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)
        raise PassingProblem("job_slow", f"Salesforce's Bulk job {job_id} was not ready in time.")

    def _note_order(self, job: dict[str, Any], *, is_exact: bool) -> None:
        """Nobody waited for a job that was complete when it was first asked for: then Salesforce's own stamps bound what it took."""
        if (ordered := self._ordered.pop(job["id"], None)) is not None:
            elapsed = time.monotonic() - ordered
            rows = int(job.get("numberRecordsProcessed") or 0)
            self._pace.note_order(elapsed if is_exact else min(elapsed, _took(job)), rows)


@contextmanager
def result_of(client: Client, place: Place, page_rows: int) -> Iterator[httpx.Response]:
    """An open page of a result. Raises: PlaceLost, if the job is forgotten."""
    params = {"maxRecords": str(page_rows), **({"locator": place.locator} if place.locator else {})}
    with (
        forgotten(place.job_id),
        client.stream("GET", f"jobs/query/{place.job_id}/results", params=params) as response,
    ):
        yield response


def said_of(response: httpx.Response, place: Place) -> tuple[int | None, Place]:
    """How many rows a page holds, and what is behind it (a place without a locator at the end)."""
    said, locator = (
        response.headers.get("Sforce-NumberOfRecords", ""),
        response.headers.get("Sforce-Locator", _END),
    )
    rows = int(said) if said.isdecimal() else None
    return rows, place.after(rows, "" if locator == _END else locator)


def require_all(after: Place, rows_in_all: int) -> None:
    """At the end, before the last page is used: a result may be short by whole pages. Raises: PlaceLost."""
    if not after.locator and after.rows not in {None, rows_in_all}:
        sentence = (
            f"Salesforce's Bulk job {after.job_id} announced {rows_in_all:,} rows and gave {after.rows:,}."
        )
        raise PlaceLost("rows_missing", sentence)


@contextmanager
def forgotten(job_id: str) -> Iterator[None]:
    """What is not found is a job that Salesforce has forgotten. Raises: PlaceLost."""
    try:
        yield
    except ConfigurationProblem as problem:
        if problem.code != "not_found":
            raise
        raise PlaceLost("job_forgotten", f"Salesforce has forgotten the Bulk job {job_id}.") from problem


def _took(job: dict[str, Any]) -> float:
    """Seconds between a job's order and its end by Salesforce's stamps, which have a grain of one second."""
    try:
        began, ended = (datetime.fromisoformat(job[name]) for name in ("createdDate", "systemModstamp"))
    except (KeyError, TypeError, ValueError):
        return float("inf")
    return max((ended - began).total_seconds(), 0.5)
