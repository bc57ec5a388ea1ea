"""Is the program alive, and can it work: two addresses for load balancers, and the parts for the operators' page.

``live`` says only that the process answers: a restart would not mend a database that is down. ``ready`` looks at each part
and never fails itself: a part that cannot be asked is a part that is down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import ProgrammingError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from isolation.checks import try_context
from isolation.models import Heartbeat
from pages.times import duration

QUEUE = "celery"
REDIS_TIMEOUT_SECONDS = 1.0
# A tick comes every TICK_SECONDS and runs on a worker; longer jobs may hold every worker for a while, not this long.
HEARTBEAT_LIMITS = {"beat": 60.0, "worker": 60.0}


@dataclass(frozen=True)
class Part:
    """One thing the program needs: whether it works, the sentence that says so, and its measure in ``seconds``."""

    name: str
    is_up: bool
    sentence: str
    seconds: float | None = None
    limit_seconds: float | None = None

    def as_json(self) -> dict[str, object]:
        """For ``/health/ready``."""
        return {
            "up": self.is_up,
            "reason": "" if self.is_up else self.sentence,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "limit_seconds": self.limit_seconds,
        }


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """200 whenever the process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 with every part when all of them work, else 503 with the reason of each that does not."""
    parts = all_parts()
    is_up = all(part.is_up for part in parts)
    body = {"status": "ok" if is_up else "down", "parts": {part.name: part.as_json() for part in parts}}
    return JsonResponse(body, status=HTTPStatus.OK if is_up else HTTPStatus.SERVICE_UNAVAILABLE)


def all_parts() -> list[Part]:
    """Database, whether it accepts this process's contexts, Redis, and the heartbeats of worker and beat."""
    return [_timed("database", _database), _contexts(), _timed("redis", _redis), *_heartbeats()]


def queue_depth() -> int | None:
    """How many messages wait for a worker; None where Redis cannot be asked."""
    try:
        with _client() as client:
            return int(client.llen(QUEUE))
    except (redis.RedisError, OSError):
        return None


def heartbeat_ages() -> dict[str, float | None]:
    """Seconds since each process was last alive; None for one that never was. Raises: django.db.Error."""
    seen: dict[str, datetime] = dict(Heartbeat.objects.values_list("name", "at"))
    now = timezone.now()
    return {name: (now - seen[name]).total_seconds() if name in seen else None for name in HEARTBEAT_LIMITS}


def _timed(name: str, ask: Callable[[], None]) -> Part:
    began = time.monotonic()
    try:
        ask()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return Part(name, is_up=False, sentence=f"{name} does not answer: {_first_line(error)}")
    return Part(name, is_up=True, sentence="answers", seconds=time.monotonic() - began)


def _first_line(error: Exception) -> str:
    # Only the kind of failure: the rest of such messages names hosts and logins, and anyone may ask here.
    return type(error.__cause__ or error).__name__


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _contexts() -> Part:
    """Without its key in the database a process answers and shows nobody anything (isolation.E023)."""
    try:
        try_context()
    except ProgrammingError:
        sentence = (
            "the database refuses this process's contexts; `manage.py check --database default` says why"
        )
        return Part("contexts", is_up=False, sentence=sentence)
    except DatabaseError:
        return Part("contexts", is_up=False, sentence="unknown while the database does not answer")
    return Part("contexts", is_up=True, sentence="are accepted by the database")


def _redis() -> None:
    with _client() as client:
        client.ping()


def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
    )


def _heartbeats() -> list[Part]:
    try:
        ages = heartbeat_ages()
    except DatabaseError:
        unknown = "unknown while the database does not answer"
        return [Part(name, is_up=False, sentence=unknown) for name in HEARTBEAT_LIMITS]
    return [_heartbeat(name, age) for name, age in ages.items()]


def _heartbeat(name: str, age: float | None) -> Part:
    limit = HEARTBEAT_LIMITS[name]
    if age is None:
        return Part(name, is_up=False, sentence=f"{name} was never seen; start it", limit_seconds=limit)
    seen = f"last seen {duration(max(age, 0))} ago"
    if age <= limit:
        return Part(name, is_up=True, sentence=seen, seconds=age, limit_seconds=limit)
    return Part(
        name, is_up=False, sentence=f"{name} was {seen}; start it again", seconds=age, limit_seconds=limit
    )
