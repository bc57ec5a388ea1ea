"""The portal's limits, kept by all processes together in Redis: at most so many calls in ten seconds, searches in one, and calls a day.

Each call holds a place from its admission until ten seconds after its answer. HubSpot counts a call at some moment between
the two; so whenever it counts the last of several calls, the others of the ten seconds before still held their places when that
one was admitted, and there were fewer of them than the limit. Nothing is kept back beyond that. Redis's clock is the only one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import redis
from django.conf import settings

from crm_sync import conf
from crm_sync.connectors.base import Allowance, BudgetSpent, PassingProblem

_FIRST_LIMIT = 100  # the smallest that HubSpot gives any portal; the first answer tells the true one
_LONGEST_SLEEP_SECONDS = 0.5
# A place frees itself within ten seconds of an answer's last moment. Whoever has to wait for longer gives the worker back meanwhile.
_LONGEST_WAIT_MS = 5 * 60_000
_FORGET_AFTER_SECONDS = 3 * 86_400
# HubSpot's count of the day may lag behind ours by the calls under way, and is far below it only on a new day.
_NEW_DAY = 200

# KEYS: places of calls, places of searches, facts. ARGV: name, is a search, how long an answer may take (ms), percent of the day
# that may be used, the day, searches a second. Gives {milliseconds to wait, used today, limit of the day}; -1: the day is used up.
_ADMIT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local facts = KEYS[3]
if redis.call('HGET', facts, 'day') ~= ARGV[5] then
  redis.call('HSET', facts, 'day', ARGV[5], 'used', 0)
end
local used = tonumber(redis.call('HGET', facts, 'used') or '0')
local daily = tonumber(redis.call('HGET', facts, 'daily') or '0')
if daily > 0 and used >= math.floor(daily * tonumber(ARGV[4]) / 100) then
  return {-1, used, daily}
end
local pause = tonumber(redis.call('HGET', facts, 'pause_until') or '0') - now
if pause > 0 then
  return {pause, used, daily}
end
local function wait(key, most)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if redis.call('ZCARD', key) < most then return 0 end
  return math.max(1, tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]) - now)
end
local needed = wait(KEYS[1], tonumber(redis.call('HGET', facts, 'most') or ARGV[7]))
if ARGV[2] == '1' then needed = math.max(needed, wait(KEYS[2], tonumber(ARGV[6]))) end
if needed > 0 then return {needed, used, daily} end
local answered = now + tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], answered + 10000, ARGV[1])
if ARGV[2] == '1' then redis.call('ZADD', KEYS[2], answered + 1000, ARGV[1]) end
redis.call('HINCRBY', facts, 'used', 1)
for index = 1, 3 do redis.call('EXPIRE', KEYS[index], ARGV[8]) end
return {0, used + 1, daily}
"""
# ARGV: name, is a search, milliseconds to pause, most in ten seconds, limit of the day, left of it ('' where HubSpot did not say), margin.
_ANSWERED = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local facts = KEYS[3]
redis.call('ZADD', KEYS[1], 'XX', now + 10000 + 1, ARGV[1])
if ARGV[2] == '1' then redis.call('ZADD', KEYS[2], 'XX', now + 1000 + 1, ARGV[1]) end
if tonumber(ARGV[3]) > 0 then redis.call('HSET', facts, 'pause_until', now + tonumber(ARGV[3])) end
if ARGV[4] ~= '' then redis.call('HSET', facts, 'most', ARGV[4]) end
if ARGV[5] ~= '' and ARGV[6] ~= '' then
  local said = tonumber(ARGV[5]) - tonumber(ARGV[6])
  local ours = tonumber(redis.call('HGET', facts, 'used') or '0')
  if said > ours or said + tonumber(ARGV[7]) < ours then redis.call('HSET', facts, 'used', said) end
  redis.call('HSET', facts, 'daily', ARGV[5])
end
return 1
"""

# ARGV: name, seconds after which all is forgotten.
_COUNTED = """
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000) + 10000 + 1, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


@dataclass(frozen=True)
class Said:
    """What an answer said about the limits: calls in ten seconds, calls a day, and how many of these are left; "" for nothing."""

    most: str = ""
    daily: str = ""
    daily_left: str = ""
    pause_seconds: float = 0.0


@cache
def _redis(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)


class Bucket:
    """The limits of one portal, for one connection's share of them."""

    def __init__(self, portal: str, reserve_percent: int, zone: ZoneInfo | None = None) -> None:
        self.portal = portal
        self.keys = [f"crm:hubspot:{{{portal}}}:{part}" for part in ("calls", "searches", "facts")]
        self._percent = 100 - reserve_percent
        self._zone = zone or UTC
        client = _redis(settings.REDIS_URL)
        self._admit_script = client.register_script(_ADMIT)
        self._answered_script = client.register_script(_ANSWERED)
        self._counted_script = client.register_script(_COUNTED)
        self.allowance: Allowance | None = None

    @contextmanager
    def place(self, *, is_search: bool) -> Iterator[Callable[[Said], None]]:
        """Wait until the limits have room, make the call inside, and tell what its answer said.

        Raises: BudgetSpent, when the share of the day is used up; PassingProblem, when Redis is away.
        """
        name = uuid.uuid4().hex
        said = Said()

        def tell(heard: Said) -> None:
            nonlocal said
            said = heard

        self._wait(name, is_search=is_search)
        try:
            yield tell
        finally:
            self._answered(name, said, is_search=is_search)

    def count(self) -> None:
        """Count a call of this portal that was made and answered before it was known whose it is."""
        self._call(self._counted_script, [uuid.uuid4().hex, _FORGET_AFTER_SECONDS])

    def _wait(self, name: str, *, is_search: bool) -> None:
        while (wait_ms := self._admit(name, is_search=is_search)) > 0:
            if wait_ms > _LONGEST_WAIT_MS:
                sentence = f"HubSpot asked not to be called for {wait_ms // 1000:,} seconds."
                raise PassingProblem("limit", sentence, wait_ms / 1000)
            time.sleep(min(wait_ms / 1000, _LONGEST_SLEEP_SECONDS))

    def _admit(self, name: str, *, is_search: bool) -> int:
        longest_ms = round((conf.http_timeout_seconds() + 30) * 1000)
        arguments = [
            name, int(is_search), longest_ms, self._percent, self._today(), conf.hubspot_searches_per_second(), _FIRST_LIMIT, _FORGET_AFTER_SECONDS,
        ]  # fmt: skip
        wait_ms, used, daily = self._call(self._admit_script, arguments)
        if daily:
            self.allowance = Allowance(used=int(used), limit=int(daily))
        if wait_ms < 0:
            raise self._spent(int(used), int(daily))
        return int(wait_ms)

    def _answered(self, name: str, said: Said, *, is_search: bool) -> None:
        pause_ms = round(said.pause_seconds * 1000)
        self._call(
            self._answered_script,
            [name, int(is_search), pause_ms, said.most, said.daily, said.daily_left, _NEW_DAY],
        )

    def _call(self, script: Any, arguments: list[Any]) -> Any:
        try:
            return script(keys=self.keys, args=arguments)
        except redis.RedisError as error:
            sentence = "The counter of HubSpot's limits (Redis) cannot be reached, so HubSpot is not called."
            raise PassingProblem("limits_unknown", sentence) from error

    def _today(self) -> str:
        return datetime.now(self._zone).date().isoformat()

    def _spent(self, used: int, daily: int) -> BudgetSpent:
        now = datetime.now(self._zone)
        tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=5, microsecond=0)
        sentence = (
            f"{used:,} of HubSpot's {daily:,} calls of the day are used; the other {100 - self._percent} % are left to "
            f"the portal's other programs. The sync goes on after midnight of the portal's time zone."
        )
        return BudgetSpent("budget_spent", sentence, (tomorrow - now).total_seconds())
