"""The priority of an item, and the job's one statement that scores every open item of every workspace.

The formula stands twice, in Python for the page and the tests and in SQL for the job; a test holds them together.
``docs/formulas.md`` explains it to people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.db import connection

# "Priority Score Calculation" of 004_c3d6e86db2a3fe49.txt. Its further factor 100 would give 0–10,000 and is read as a slip.
JOB = "operations.score"
WEIGHTS = {"intent_confidence": 40, "sentiment_urgency": 30, "time_decay": 20, "user_history": 10}

DECAY_HORIZON = timedelta(hours=72)
"""An item this old has waited as long as counts."""
HISTORY_WINDOW = timedelta(days=90)
HISTORY_FULL = 5
"""With this many earlier items in the window, more make no difference."""


@dataclass(frozen=True)
class Factors:
    """The four factors, each in [0, 1]."""

    intent_confidence: float
    sentiment_urgency: float
    time_decay: float
    user_history: float


def priority_score(factors: Factors) -> float:
    """Priority of an item, 0–100 with one decimal: the weighted sum of the factors, weights 40/30/20/10."""
    return _rounded(sum(weight * getattr(factors, name) for name, weight in WEIGHTS.items()), "0.1")


def time_decay(age: timedelta) -> float:
    """0 for a new item, rising evenly to 1 at the horizon of 72 hours, and 1 from then on."""
    return _rounded(min(max(age / DECAY_HORIZON, 0.0), 1.0), "0.001")


def user_history(earlier_items: int) -> float:
    """0 for a first contact, 0.2 for each item of the same contact in the 90 days before, at most 1."""
    return min(earlier_items / HISTORY_FULL, 1.0)


def _rounded(value: float, step: str) -> float:
    # As PostgreSQL's round(numeric): 15 digits of the float, halves away from zero.
    return float(Decimal(f"{value:.15g}").quantize(Decimal(step), ROUND_HALF_UP))


_SCORE = """
    WITH factors AS (
        SELECT i.tenant_id, i.id, i.intent_confidence, i.sentiment_urgency,
               round(least(greatest(extract(epoch FROM now() - i.created_at) / %(horizon)s::numeric, 0), 1), 3)::float8 AS time_decay,
               least(earlier.items / %(full)s::float8, 1) AS user_history
        FROM operations_priorityitem i
        LEFT JOIN LATERAL (
            SELECT count(*) AS items FROM operations_priorityitem e
            WHERE e.tenant_id = i.tenant_id AND e.contact_key = i.contact_key AND i.contact_key <> ''
              AND e.created_at < i.created_at AND e.created_at >= i.created_at - make_interval(secs => %(window)s)
        ) earlier ON true
        WHERE i.state = 'open'
    ),
    scored AS (
        SELECT f.*, round((%(intent)s * f.intent_confidence + %(sentiment)s * f.sentiment_urgency
                           + %(decay)s * f.time_decay + %(history)s * f.user_history)::numeric, 1)::float8 AS score
        FROM factors f
    )
    UPDATE operations_priorityitem i
    SET time_decay = s.time_decay, user_history = s.user_history, score = s.score, scored_at = now()
    FROM scored s
    WHERE i.tenant_id = s.tenant_id AND i.id = s.id AND i.state = 'open'
      AND (i.scored_at IS NULL OR i.score <> s.score OR i.time_decay <> s.time_decay OR i.user_history <> s.user_history)
"""


def score_open_items() -> int:
    """Score all open items that the context reaches, in one statement; how many changed. Unchanged rows are not written."""
    parameters = {
        "horizon": DECAY_HORIZON.total_seconds(),
        "window": HISTORY_WINDOW.total_seconds(),
        "full": HISTORY_FULL,
        "intent": WEIGHTS["intent_confidence"],
        "sentiment": WEIGHTS["sentiment_urgency"],
        "decay": WEIGHTS["time_decay"],
        "history": WEIGHTS["user_history"],
    }
    with connection.cursor() as cursor:
        cursor.execute(_SCORE, parameters)
        return int(cursor.rowcount)
