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
    """Runs at work at once over all workspaces: fewer than the workers' processes together, so that regular jobs find one free.

    The settings derive it from ``WORKER_CONCURRENCY``: all but two processes of one worker, and at least one.
    """
    return int(_setting("CRM_SYNC_PARALLEL_RUNS", 2))


def slice_seconds() -> float:
    """How long a run may work while others wait for a place."""
    return float(_setting("CRM_SYNC_SLICE_SECONDS", 60))


def check_days() -> int:
    """How often the mirror is compared with the CRM by itself; 0 for never."""
    return int(_setting("CRM_SYNC_CHECK_DAYS", 7))


def runs_kept_days() -> int:
    """How long runs are kept, beyond the newest ``runs_kept_at_least`` of each connection."""
    return int(_setting("CRM_SYNC_RUNS_KEPT_DAYS", 90))


def runs_kept_at_least() -> int:
    """How many runs of a connection are kept however old they are."""
    return int(_setting("CRM_SYNC_RUNS_KEPT_AT_LEAST", 100))


def violations_kept_days() -> int:
    """How long violations of the contract are kept after they are over."""
    return int(_setting("CRM_SYNC_VIOLATIONS_KEPT_DAYS", 365))


def hubspot_page_rows() -> int:
    """Records of a HubSpot page of the engine: so many associations are read with one call."""
    return int(_setting("CRM_HUBSPOT_PAGE_ROWS", 1_000))


def hubspot_lag_seconds() -> float:
    """How late HubSpot's searches may show a change; so far every run looks back."""
    return float(_setting("CRM_HUBSPOT_LAG_SECONDS", 60 * 60))


def hubspot_threads() -> int:
    """Calls under way at once, so that HubSpot's limits and not its distance decide how quick a first load is."""
    return int(_setting("CRM_HUBSPOT_THREADS", 6))


def hubspot_searches_per_second() -> int:
    """One less than HubSpot allows a portal: its seconds are not ours."""
    return int(_setting("CRM_HUBSPOT_SEARCHES_PER_SECOND", 4))


def hubspot_archive_rows() -> int:
    """Up to how many archived records HubSpot's list of them is read by every run; a longer one is read when there is a reason."""
    return int(_setting("CRM_HUBSPOT_ARCHIVE_ROWS", 500))


def hubspot_archive_seconds() -> float:
    """After which time a longer list of archived records is read again without any other reason."""
    return float(_setting("CRM_HUBSPOT_ARCHIVE_SECONDS", 60 * 60))


def hubspot_lane_rows() -> int:
    """Records of a lane of a long list. HubSpot's searches count to 10,000 and no further."""
    return int(_setting("CRM_HUBSPOT_LANE_ROWS", 10_000))
