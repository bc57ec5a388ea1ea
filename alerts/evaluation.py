"""Judging every rule of every workspace: a handful of statements, however many workspaces there are.

Each step reads only what the step before wrote, so the whole can stop anywhere and be run again:
measure (one UPDATE a metric) → close what recovered → open what fires → write the messages that are due.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from django.db import DatabaseError, connection, transaction

from alerts import registry
from alerts.channels.base import ChannelKind, all_channels
from alerts.registry import Metric
from isolation import context, jobs
from isolation.actors import Actor

logger = logging.getLogger(__name__)

JOB = "alerts.evaluate"
DELIVERY_JOB = "alerts.deliver"
# Any constant will do; evaluators of one database take turns on it.
_TURN = 0x616C657274

_MEASURE = """
    WITH measured AS MATERIALIZED ({sql})
    UPDATE alerts_rule r
    SET last_value = found.value,
        last_evaluated_at = now(),
        state = found.state,
        since = CASE WHEN r.state = found.state THEN r.since ELSE now() END
    FROM (
        SELECT watched.tenant_id, watched.id, m.value,
               CASE WHEN (watched.comparison = 'above' AND m.value > watched.threshold)
                      OR (watched.comparison = 'below' AND m.value < watched.threshold)
                    THEN 'firing' ELSE 'ok' END AS state
        FROM alerts_rule watched
        JOIN tenants_tenant t ON t.id = watched.tenant_id AND t.is_active
        LEFT JOIN measured m ON m.tenant_id = watched.tenant_id
        WHERE watched.metric = %(metric)s AND watched.is_enabled
    ) found
    WHERE r.tenant_id = found.tenant_id AND r.id = found.id AND r.is_enabled
"""
_CLOSE = """
    UPDATE alerts_alert a
    SET closed_at = now(), closed_value = r.last_value
    FROM alerts_rule r
    WHERE r.tenant_id = a.tenant_id AND r.id = a.rule_id AND a.closed_at IS NULL AND r.state = 'ok'
    RETURNING a.tenant_id, a.id
"""
_OPEN = """
    INSERT INTO alerts_alert (id, tenant_id, rule_id, rule_name, metric, comparison, threshold, severity, value,
                              opened_at, rounds, acknowledged_by)
    SELECT gen_random_uuid(), r.tenant_id, r.id, r.name, r.metric, r.comparison, r.threshold, r.severity, r.last_value,
           now(), 0, ''
    FROM alerts_rule r
    WHERE r.is_enabled AND r.state = 'firing'
      AND NOT EXISTS (SELECT FROM alerts_alert a
                      WHERE a.tenant_id = r.tenant_id AND a.rule_id = r.id AND a.closed_at IS NULL)
    RETURNING tenant_id, id
"""
# A round of messages is due when nobody has taken the alert on and the rule's cooldown is over, whichever alert of
# the rule the last messages were about: a value that swings around its limit does not send a mail at every swing.
_BEGIN_ROUND = """
    WITH due AS (
        SELECT a.tenant_id, a.id, a.rule_id FROM alerts_alert a
        JOIN alerts_rule r ON r.tenant_id = a.tenant_id AND r.id = a.rule_id
        WHERE a.closed_at IS NULL AND a.acknowledged_at IS NULL AND r.is_enabled AND r.state = 'firing'
          AND (r.last_fired_at IS NULL OR r.last_fired_at <= now() - make_interval(mins => r.cooldown_minutes))
    ),
    marked AS (
        UPDATE alerts_rule r SET last_fired_at = now() FROM due
        WHERE r.tenant_id = due.tenant_id AND r.id = due.rule_id
    )
    UPDATE alerts_alert a SET rounds = a.rounds + 1 FROM due
    WHERE a.tenant_id = due.tenant_id AND a.id = due.id
    RETURNING a.id
"""
_WRITE_MESSAGES = """
    WITH addressed AS MATERIALIZED ({recipients})
    INSERT INTO alerts_delivery (id, tenant_id, alert_id, kind, round, channel, recipient, value,
                                 state, attempts, resends, next_attempt_at, created_at, error)
    SELECT gen_random_uuid(), a.tenant_id, a.id, k.kind, a.rounds, %(channel)s, to_.recipient,
           CASE WHEN k.kind = 'closed' THEN a.closed_value ELSE r.last_value END,
           'pending', 0, 0, now(), now(), ''
    FROM alerts_alert a
    JOIN alerts_rule r ON r.tenant_id = a.tenant_id AND r.id = a.rule_id
    JOIN alerts_channel c ON c.tenant_id = a.tenant_id AND c.kind = %(channel)s AND c.is_enabled
    JOIN addressed to_ ON to_.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (SELECT CASE WHEN a.closed_at IS NOT NULL THEN 'closed'
                                    WHEN a.rounds > 1 THEN 'reminder' ELSE 'opened' END) AS k (kind)
    WHERE a.id = ANY (%(alerts)s) AND k.kind = ANY (%(kinds)s)
      AND a.rounds > 0                                -- nobody heard of it, so nobody needs to hear that it is over
      AND NOT EXISTS (SELECT FROM alerts_blockedrecipient b
                      WHERE b.tenant_id = a.tenant_id AND b.channel = %(channel)s AND b.recipient = to_.recipient)
    ON CONFLICT (tenant_id, alert_id, channel, recipient, kind, round) DO NOTHING
"""


@dataclass
class Evaluation:
    """What one run did, in counts; ``failed`` names the metrics whose query failed and whose rules were left as they were."""

    rules: int = 0
    opened: int = 0
    closed: int = 0
    messages: int = 0
    failed: list[str] = field(default_factory=list)


def evaluate(acting_user: Actor) -> Evaluation:
    """Judge all enabled rules of all workspaces now, in a platform context and one transaction of its own."""
    with context.platform("evaluate alert rules", acting_user):
        return evaluate_here()


def evaluate_here() -> Evaluation:
    """``evaluate`` inside the platform context that is open already."""
    done = Evaluation()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
    for metric in registry.all_metrics().values():
        _measure(metric, done)
    closed, opened = _changed(_CLOSE), _changed(_OPEN)
    done.closed, done.opened = len(closed), len(opened)
    due = _changed(_BEGIN_ROUND)
    done.messages = _write_messages([row[-1] for row in (*closed, *due)])
    if done.messages:
        _wake_delivery()
    return done


def _measure(metric: Metric, done: Evaluation) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_MEASURE.format(sql=metric.sql.replace("%", "%%")), {"metric": metric.code})
            done.rules += cursor.rowcount
    except DatabaseError:  # one broken metric must not silence every other rule
        logger.exception(
            "The metric %s could not be measured; its rules were left as they were.", metric.code
        )
        done.failed.append(metric.code)


def _changed(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _write_messages(alert_ids: list[object]) -> int:
    if not alert_ids:
        return 0
    return sum(_write_messages_of(channel, alert_ids) for channel in all_channels().values())


def _write_messages_of(channel: ChannelKind, alert_ids: list[object]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE_MESSAGES.format(recipients=channel.recipients_sql.replace("%", "%%")),
            {"channel": channel.code, "alerts": alert_ids, "kinds": [str(kind) for kind in channel.kinds]},
        )
        return int(cursor.rowcount)


def _wake_delivery() -> None:
    with context.shared_tables():
        jobs.wake(DELIVERY_JOB)
