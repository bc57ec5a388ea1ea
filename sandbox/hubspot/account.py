"""Owners, the account itself, and its use of the API."""

import zoneinfo
from datetime import timedelta

import msgspec
from starlette.routing import BaseRoute

from sandbox.hubspot.calls import Call, number_of, paged, route
from sandbox.hubspot.errors import HubSpotError
from sandbox.hubspot.moments import milliseconds_at

_MOST_OWNERS = 500


def _owners(call: Call) -> object:
    call.session.require("crm.objects.owners.read")
    after = number_of(call.query.get("after") or 0)
    limit = call.number("limit", 100, _MOST_OWNERS)
    sql = """
        SELECT id, body FROM owner
        WHERE id > :after AND archived = :archived AND (:email IS NULL OR lower(body ->> 'email') = lower(:email))
        ORDER BY id
        LIMIT :limit
    """
    parameters = {"after": after, "archived": int(call.flag("archived")), "limit": limit + 1,
                  "email": call.query.get("email")}  # fmt: skip
    rows = call.portal.store.rows(sql, parameters)
    return paged(
        [msgspec.Raw(row[1]) for row in rows[:limit]], rows[limit - 1][0] if len(rows) > limit else None
    )


def _owner(call: Call) -> object:
    call.session.require("crm.objects.owners.read")
    column = "body ->> 'userIdIncludingInactive'" if call.query.get("idProperty") == "userId" else "id"
    sql = f"SELECT body FROM owner WHERE {column} = CAST(? AS INTEGER) AND archived = ?"
    row = call.portal.store.row(sql, (call.path["id"], int(call.flag("archived"))))
    if row is None:
        raise HubSpotError(404, "OBJECT_NOT_FOUND", f"No owner with id {call.path['id']} was found")
    return msgspec.Raw(row[0])


def _details(call: Call) -> object:
    portal, switches = call.portal, call.portal.switches
    offset = portal.clock.now().astimezone(zoneinfo.ZoneInfo(switches.time_zone)).utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    return {
        "portalId": portal.portal_id, "accountType": "STANDARD", "timeZone": switches.time_zone,
        "companyCurrency": switches.currency, "additionalCurrencies": ["EUR", "GBP"],
        "utcOffset": f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}",
        "utcOffsetMilliseconds": minutes * 60_000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
    }  # fmt: skip


def _daily_usage(call: Call) -> object:
    portal, now = call.portal, call.portal.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return {"results": [{
        "name": "private-apps-api-calls-daily", "usageLimit": portal.switches.calls_per_day,
        "currentUsage": portal.traffic.used_today, "collectedAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "fetchStatus": "SUCCESS", "resetsAt": milliseconds_at(midnight),
    }]}  # fmt: skip


ROUTES: list[BaseRoute] = [
    route("GET", "/crm/v3/owners", _owners),
    route("GET", "/crm/v3/owners/{id}", _owner),
    route("GET", "/account-info/v3/details", _details),
    route("GET", "/account-info/v3/api-usage/daily/private-apps", _daily_usage),
    route("GET", "/account-info/v3/api-usage/daily", _daily_usage),
]
