"""A web process keeps its connections from request to request, because a new one costs more than a page; nothing that was left on
one reaches the next request."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection


def leave_nothing(**_: Any) -> None:
    """At a request's end: what its statements, or SQL that somebody injected, left on the connection is thrown away.

    Temporary tables, settings, cursors, prepared statements, locks. What cannot be cleared is closed.
    """
    kept = connection.connection
    if kept is None or connection.in_atomic_block:
        return
    try:
        kept.execute("DISCARD ALL")
        connection.ensure_timezone()  # ours, where the server's own is another
    except psycopg.Error:
        connection.close()
