"""What an installation may set, and what holds where it does not."""

from __future__ import annotations

from typing import Any

from django.conf import settings


def _setting(name: str, default: Any) -> Any:
    return getattr(settings, name, default)


def allowed_private_hosts() -> frozenset[str]:
    """Hosts inside the own network that may be read all the same, and without TLS: the sandbox of a local installation."""
    return frozenset(_setting("CRM_ALLOWED_PRIVATE_HOSTS", ()))


def http_timeout_seconds() -> float:
    """How long a CRM may stay silent."""
    return float(_setting("CRM_HTTP_TIMEOUT_SECONDS", 60))


def rest_rows() -> int:
    """Up to how many changed rows come by the query address; a Bulk job costs seconds of waiting however little it gives."""
    return int(_setting("CRM_REST_ROWS", 20_000))


def bulk_page_rows() -> int:
    """Rows of a Bulk page, which is staged, merged and committed together: what a killed worker loses at most."""
    return int(_setting("CRM_BULK_PAGE_ROWS", 100_000))


def bulk_wait_seconds() -> float:
    """How long to wait for a Bulk job."""
    return float(_setting("CRM_BULK_WAIT_SECONDS", 20 * 60))


def lease_seconds() -> int:
    """How long a worker may stay silent before another takes its run."""
    return int(_setting("CRM_SYNC_LEASE_SECONDS", 30))


def tries() -> int:
    """How often a step is tried before the run is put off."""
    return int(_setting("CRM_SYNC_TRIES", 4))


def first_pause_seconds() -> float:
    """The first pause between two tries; each next one is twice as long."""
    return float(_setting("CRM_SYNC_FIRST_PAUSE_SECONDS", 1))


def attempts() -> int:
    """How often a run is put off before it counts as failed."""
    return int(_setting("CRM_SYNC_ATTEMPTS", 5))


def dispatch_seconds() -> float:
    """How often the dispatcher looks by itself, for what fell due or was abandoned; everything else wakes it."""
    return float(_setting("CRM_SYNC_DISPATCH_SECONDS", 15))


def parallel_runs() -> int:
    """Runs at work at once over all workspaces: fewer than a worker's processes, so that regular jobs find one free."""
    return int(_setting("CRM_SYNC_PARALLEL_RUNS", 2))
