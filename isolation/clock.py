"""The database's clock at this very statement: a transaction's own time may be older than what it waited for."""

from __future__ import annotations

from django.db.models import DateTimeField, Func


class StatementNow(Func):
    """``statement_timestamp()``, for conditions and for columns' defaults."""

    function = "statement_timestamp"
    output_field = DateTimeField()
