"""Bulk API 2.0 query jobs: the result is written once, as the CSV text that the pages are cut from."""

import base64
import contextlib
import logging
import re
import secrets
import shutil
import sqlite3
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import msgspec

from sandbox.errors import ApiError, not_found
from sandbox.faults import Faults
from sandbox.ids import make_id
from sandbox.late import settle
from sandbox.oauth import Session
from sandbox.orgs import Org
from sandbox.rows import csv_header, csv_line_sql, csv_pieces
from sandbox.soql import Plan, compile_query, parse
from sandbox.soql.tree import Name, Query

DELIMITERS = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
PAGES_AT_ONCE = 5
_DEFAULT_PAGE = 50_000
_MOST_KEPT = 100
_PIECE_BYTES = 256 * 1024
_ROW = re.compile(rb'(?:[^"\n]++|"[^"]*+")*+\n')
_log = logging.getLogger("sandbox")
State = Literal["UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"]


class JobOrder(msgspec.Struct):
    """The body of a request for a job, its names the protocol's."""

    query: str
    operation: Literal["query", "queryAll"] = "query"
    contentType: Literal["CSV"] = "CSV"
    columnDelimiter: str = "COMMA"
    lineEnding: str = "LF"


@dataclass
class Job:
    """A query job. ``starts`` and ``offsets`` say at which row and byte each piece of the result file begins."""

    id: str
    session: Session
    order: JobOrder
    plan: Plan
    version: str
    path: Path
    created: str
    state: State = "UploadComplete"
    error: str = ""
    rows: int = 0
    seconds: float = 0.0
    changed: str = ""
    starts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    @property
    def header(self) -> bytes:
        """The header line, which every page repeats."""
        return csv_header(
            self.plan, DELIMITERS[self.order.columnDelimiter], LINE_ENDINGS[self.order.lineEnding]
        )

    def described(self) -> dict[str, object]:
        """The job as its address shows it."""
        shown: dict[str, object] = {
            "id": self.id, "operation": self.order.operation, "object": self.plan.sobject.name,
            "createdById": self.session.user_id, "createdDate": self.created.replace("Z", "+0000"),
            "systemModstamp": (self.changed or self.created).replace("Z", "+0000"), "state": self.state,
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(self.version[1:]),
            "jobType": "V2Query", "lineEnding": self.order.lineEnding, "columnDelimiter": self.order.columnDelimiter,
            "numberRecordsProcessed": self.rows, "retries": 0, "totalProcessingTime": int(self.seconds * 1000),
            "isPkChunkingSupported": not self.plan.order and not self.plan.limit,
        }  # fmt: skip
        return shown | ({"errorMessage": self.error} if self.error else {})


@dataclass(frozen=True)
class Page:
    """A piece of a result to send: a span of bytes of the result file, and the row where the next page starts."""

    first_byte: int
    last_byte: int
    rows: int
    next_row: int | None


class Jobs:
    """All query jobs. Results lie in ``spool`` and go with the job or with the server."""

    def __init__(self, spool: Path, faults: Faults) -> None:
        self._spool = spool
        self._faults = faults
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="bulk")
        self._lock = threading.Lock()
        self.page_delay_seconds = 0.0
        shutil.rmtree(spool, ignore_errors=True)
        spool.mkdir(parents=True)

    def close(self) -> None:
        """Abort what runs and remove all results."""
        for job in list(self._jobs.values()):
            job.state = "Aborted"
        self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self._spool, ignore_errors=True)

    def start(self, session: Session, order: JobOrder, version: str) -> Job:
        """Check a query and start its job. Raises: ApiError, where Bulk does not take the query."""
        if order.columnDelimiter not in DELIMITERS or order.lineEnding not in LINE_ENDINGS:
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALIDJOB", "Unknown columnDelimiter or lineEnding")
        org = session.org
        job_id = make_id("750", org.organisation_id[3:6], secrets.randbelow(62**8))
        path = self._spool / f"{job_id}.csv"
        job = Job(job_id, session, order, _bulk_plan(org, order), version, path, org.clock.stamp())
        org.usage.count_job(org.rules.limits, org.clock.now())
        self._jobs[job_id] = job
        self._forget_the_oldest()
        self._submit(job, org.rules.behaviour.bulk_job_delay)
        return job

    def _submit(self, job: Job, delay: float) -> None:
        """Begin at once or after a delay; a waiting job takes up no worker."""
        if delay <= 0:
            self._pool.submit(self._run, job)
            return
        self._enter(job, "InProgress", out_of="UploadComplete")
        timer = threading.Timer(delay, self._submit_late, (job,))
        timer.daemon = True
        timer.start()

    def _submit_late(self, job: Job) -> None:
        with contextlib.suppress(RuntimeError):  # the server is ending
            self._pool.submit(self._run, job)

    def find(self, job_id: str, org: Org) -> Job:
        """An organisation's job. Raises: ApiError NOT_FOUND."""
        job = self._jobs.get(job_id) or next(
            (each for each in self._jobs.values() if each.id[:15] == job_id), None
        )
        if job is None or job.session.org is not org or self._is_out_of_date(job):
            raise not_found()
        return job

    def _is_out_of_date(self, job: Job) -> bool:
        """Whether the results of a job have been kept for as long as they are kept; the job goes with them."""
        org = job.session.org
        kept = timedelta(days=org.rules.behaviour.results_days)
        return org.clock.now() - datetime.fromisoformat(job.created) > kept

    def all_of(self, org: Org) -> list[Job]:
        """An organisation's jobs, the newest last."""
        return [
            job for job in self._jobs.values() if job.session.org is org and not self._is_out_of_date(job)
        ]

    def abort(self, job: Job) -> None:
        """Stop a job. Raises: ApiError, where it is already over."""
        with self._lock:
            if job.state not in {"UploadComplete", "InProgress"}:
                raise ApiError(HTTPStatus.BAD_REQUEST, "INVALIDJOBSTATE", f"Job is already {job.state}")
            job.state = "Aborted"

    def delete(self, job: Job) -> None:
        """Forget a job that is over, with its result. Raises: ApiError, while it runs."""
        if job.state in {"UploadComplete", "InProgress"}:
            message = "The job must be JobComplete, Aborted or Failed to be deleted"
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALIDJOBSTATE", message)
        del self._jobs[job.id]
        job.path.unlink(missing_ok=True)

    def _forget_the_oldest(self) -> None:
        """Salesforce keeps results for seven days; a play server need not fill the disk with them."""
        over = [job for job in self._jobs.values() if job.state not in {"UploadComplete", "InProgress"}]
        for job in over[: max(0, len(over) - _MOST_KEPT)]:
            self.delete(job)

    def _enter(self, job: Job, state: State, *, out_of: State) -> bool:
        """Move a job on, unless it was aborted meanwhile."""
        with self._lock:
            if job.state != out_of:
                return False
            job.state, job.changed = state, job.session.org.clock.stamp()
            return True

    def _run(self, job: Job) -> None:
        if not self._enter(job, "InProgress", out_of="UploadComplete") and job.state != "InProgress":
            return
        started = time.monotonic()
        settle(job.session.org)
        try:
            fault = self._faults.take(f"/jobs/query {job.order.query}", job.session.org.name, of_job=True)
            if fault is None:
                self._write_result(job)
            elif fault.kind == "job_aborted":
                job.error = fault.body or ""
                self.abort(job)
            else:
                job.error = fault.body or "InternalServerError: the query ran into an unexpected error"
        except (sqlite3.Error, OSError) as error:
            _log.exception("Bulk job %s failed", job.id)
            job.error = f"InternalServerError: {error}"
        job.seconds = time.monotonic() - started
        self._enter(job, "Failed" if job.error else "JobComplete", out_of="InProgress")

    def _write_result(self, job: Job) -> None:
        delimiter, ending = DELIMITERS[job.order.columnDelimiter], LINE_ENDINGS[job.order.lineEnding]
        database = job.session.org.database
        line = csv_line_sql(job.plan, delimiter, ending, holds_nul=database.holds_nul)
        offset = 0
        with database.bytes_reader() as connection, job.path.open("wb") as file:
            for rows, text in csv_pieces(connection, job.plan, line):
                if job.state == "Aborted":
                    return
                job.starts.append(job.rows)
                job.offsets.append(offset)
                offset += file.write(text)
                job.rows += rows
        job.starts.append(job.rows)
        job.offsets.append(offset)


def _bulk_plan(org: Org, order: JobOrder) -> Plan:
    query = parse(order.query)
    if refusal := _not_in_bulk(query):
        raise ApiError(HTTPStatus.BAD_REQUEST, "API_ERROR", f"{refusal} not supported in Bulk Query")
    if query.has_subquery:
        message = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type"
        raise ApiError(HTTPStatus.BAD_REQUEST, "API_ERROR", message)
    plan = compile_query(
        query, org.database.schema, org.clock.now(), with_deleted=order.operation == "queryAll"
    )
    if not plan.sobject.is_in_bulk:
        message = f"Entity '{plan.sobject.name}' is not supported by the Bulk API."
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALIDENTITY", message)
    if any(column.field.type == "address" for column in plan.columns):
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "API_ERROR", "Selecting compound data not supported in Bulk Query"
        )
    return plan


def _not_in_bulk(query: Query) -> str:
    """What in a query Bulk does not take, or nothing."""
    if query.offset is not None:
        return "OFFSET"
    if query.is_count or query.is_aggregate:
        return "Aggregate queries"
    is_all = any(
        isinstance(each.what, Name) and each.what.path.startswith("FIELDS(") for each in query.selected
    )
    return "FIELDS()" if is_all and query.limit is None else ""


def locator_of(row: int) -> str:
    """The locator of the page that starts at a row."""
    return base64.b64encode(str(row).encode()).decode().rstrip("=")


def row_of(locator: str, job: Job) -> int:
    """The row where a page starts. Raises: ApiError INVALID_QUERY_LOCATOR."""
    try:
        row = int(base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True))
    except ValueError:
        row = -1
    if not 0 <= row <= job.rows:
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_QUERY_LOCATOR", f"Invalid locator: {locator}")
    return row


def page_of(job: Job, start: int, most: int | None) -> Page:
    """The page of at most ``most`` rows from row ``start``. Raises: ApiError, while there is no result."""
    if job.state != "JobComplete":
        message = f"The results of a job that is {job.state} cannot be read"
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALIDJOBSTATE", message)
    end = min(start + (most or _DEFAULT_PAGE), job.rows)
    return Page(_byte_of(job, start), _byte_of(job, end), end - start, end if end < job.rows else None)


def _byte_of(job: Job, row: int) -> int:
    """Where a row begins in the result file: looked up for the piece, then counted within it."""
    piece = bisect_right(job.starts, row) - 1
    if job.starts[piece] == row:
        return job.offsets[piece]
    with job.path.open("rb") as file:
        file.seek(job.offsets[piece])
        text = file.read(job.offsets[piece + 1] - job.offsets[piece])
    position = 0
    for _ in range(row - job.starts[piece]):
        found = _ROW.match(text, position)
        position = found.end() if found else len(text)
    return job.offsets[piece] + position


def pieces_of(job: Job, page: Page) -> Iterator[bytes]:
    """The bytes of a page, header first, some at a time."""
    yield job.header
    left = page.last_byte - page.first_byte
    with job.path.open("rb") as file:
        file.seek(page.first_byte)
        while left > 0:
            piece = file.read(min(left, _PIECE_BYTES))
            left -= len(piece)
            yield piece
