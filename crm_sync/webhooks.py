"""What HubSpot tells us of its own accord: rows that changed. Nothing that a notice says is believed but which rows it names.

A notice counts only if HubSpot signed it with the secret of the workspace's own app, not longer ago than five minutes. A copy of one
that was taken already changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import msgspec
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from crm_sync.connectors.hubspot.objects import ACTIVITIES, COMPANIES, CONTACTS, DEALS
from crm_sync.engine import notices
from crm_sync.errors import CannotDecrypt
from crm_sync.models import Connection, ConnectionState
from crm_sync.secrets import decrypt
from crm_sync.waking import wake_dispatcher
from isolation import context
from isolation.actors import Actor
from tenants.errors import TenantUnknown
from tenants.models import Crm, Tenant
from tenants.selectors import tenant_by_slug

LONGEST_BODY = 1024 * 1024
OLDEST_SECONDS = 5 * 60
SIGNATURE, TIMESTAMP = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"
REFUSED = (
    "This notice is not signed with the secret of the workspace's HubSpot app, or is older than five minutes."
)
BUSY = "There is too much to do to look at this notice now. Send it again later."
ACTOR = Actor.system("crm_sync.webhooks")
# HubSpot sends a hundred events at a time, and a merge names some hundreds of records at most.
_MOST_ROWS = 50_000
_LONGEST_ID = 40
# Whoever tries out addresses must not fill the audit log, in which each look at all workspaces stands.
_LOOKS_A_MINUTE = 60
# Long: while somebody tries out addresses, workspaces that are known already are not looked up.
_KNOWN_SECONDS, _UNKNOWN_SECONDS = 86_400, 300
_log = logging.getLogger(__name__)

_TYPES = {
    "0-1": CONTACTS, "0-2": COMPANIES, "0-3": DEALS, "0-27": "tasks", "0-46": "notes", "0-47": "meetings", "0-48": "calls",
    "0-49": "emails",
}  # fmt: skip
_NAMES = {"contact": CONTACTS, "company": COMPANIES, "deal": DEALS} | {
    name.removesuffix("s"): name for name in ACTIVITIES
}


class _Event(msgspec.Struct):
    """One thing that happened, under the older names of subscriptions ("deal.creation") or the newer ones ("object.creation")."""

    subscriptionType: str
    portalId: int | str = ""
    objectId: int | str = ""
    objectTypeId: str = ""
    primaryObjectId: int | str = ""
    mergedObjectIds: list[int | str] = []
    newObjectId: int | str | None = None
    fromObjectId: int | str = ""
    toObjectId: int | str = ""
    fromObjectTypeId: str = ""
    toObjectTypeId: str = ""
    associationType: str = ""


class Refused(Exception):
    """The notice does not count. The text is for the log only."""


class Busy(Exception):
    """Whether the notice counts is not looked at now. The text is for the log only."""


@csrf_exempt
@require_POST
def hubspot(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a notice: 204 once the rows that it names are sure to be read, 401 with one sentence for all that is wrong with it.

    503 is for notices that are to be sent again, because too much waits or somebody tries out addresses.
    """
    try:
        body, signature = _body(request), request.headers.get(SIGNATURE, "")
        _require_fresh(request.headers.get(TIMESTAMP, ""))
        connection = _connection(slug)
        _require_signed(request, connection, body, signature)
        rows = list(_rows(body, connection))
        _require_room(connection, rows)
    except Busy as reason:
        _log.warning("HubSpot notice for %r put off: %s", slug, reason)
        return HttpResponse(
            BUSY, status=HTTPStatus.SERVICE_UNAVAILABLE, content_type="text/plain; charset=utf-8"
        )
    except Refused as refusal:
        _log.warning("HubSpot notice for %r refused: %s", slug, refusal)
        return HttpResponse(REFUSED, status=HTTPStatus.UNAUTHORIZED, content_type="text/plain; charset=utf-8")
    seen = f"crm_sync.notice.{hashlib.sha256(signature.encode()).hexdigest()}"
    if not cache.get(seen):
        rows_noticed(connection=connection, rows=rows)
        cache.set(seen, 1, 2 * OLDEST_SECONDS)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _require_room(connection: Connection, rows: Sequence[tuple[str, str]]) -> None:
    """HubSpot sends a notice again for a day; by then the rows that wait were read."""
    if len(rows) > _MOST_ROWS or (rows and notices.is_full(connection)):
        raise Busy("too many rows wait to be read")


def rows_noticed(*, connection: Connection, rows: Sequence[tuple[str, str]]) -> None:
    """Have rows, as (object, id), read within seconds. Nobody's doing but the CRM's, so it is not audited."""
    with transaction.atomic(), context.tenant_wide(connection.tenant_id):
        notices.note(connection, rows)
        if rows:
            wake_dispatcher()


def _body(request: HttpRequest) -> bytes:
    body: bytes = request.read(LONGEST_BODY + 1)
    if len(body) > LONGEST_BODY:
        raise Refused("the body is too long")
    return body


def _require_fresh(timestamp: str) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise Refused("the timestamp is missing or is none")
    if abs(time.time() - int(timestamp) / 1000) > OLDEST_SECONDS:
        raise Refused("the timestamp is too old")


def _connection(slug: str) -> Connection:
    tenant_id = _tenant_id(slug)
    with context.tenant_wide(tenant_id):
        found: Connection | None = Connection.objects.filter(tenant_id=tenant_id, source=Crm.HUBSPOT).first()
    if found is None or not found.webhook_secret_encrypted or found.state == ConnectionState.NEW:
        raise Refused("the workspace expects none")
    return found


def _tenant_id(slug: str) -> int:
    key = f"crm_sync.hook.{slug}"
    known: int | None = cache.get(key)
    if known is None or (known and not _is_still(known, slug)):
        known = _look_up(slug)
        cache.set(key, known, _KNOWN_SECONDS if known else _UNKNOWN_SECONDS)
    if not known:
        raise Refused("there is no such workspace")
    return known


def _is_still(tenant_id: int, slug: str) -> bool:
    """Whether a workspace that was looked up some time ago is there still, and open."""
    with context.tenant_wide(tenant_id):
        return bool(Tenant.objects.filter(pk=tenant_id, slug=slug, is_active=True).exists())


def _look_up(slug: str) -> int:
    """The workspace's id, 0 for none."""
    minute = f"crm_sync.hook.looks.{int(time.time() // 60)}"
    cache.add(minute, 0, 120)
    if cache.incr(minute) > _LOOKS_A_MINUTE:
        raise Busy("too many unknown addresses were tried")
    try:
        tenant = tenant_by_slug(slug, reason="take a notice of HubSpot", acting_user=ACTOR)
    except TenantUnknown:
        return 0
    return int(tenant.id) if tenant.is_active else 0


def _require_signed(request: HttpRequest, connection: Connection, body: bytes, signature: str) -> None:
    try:
        secret = decrypt(connection.webhook_secret_encrypted)
    except CannotDecrypt as error:
        raise Refused("the stored secret cannot be read") from error
    timestamp = request.headers[TIMESTAMP]
    addresses = (settings.WEB_URL.rstrip("/") + request.get_full_path(), request.build_absolute_uri())
    good = [signed("POST", address, body, timestamp, secret) for address in addresses]
    if not any(hmac.compare_digest(each.encode(), signature.encode()) for each in good):
        raise Refused("the signature is wrong")


def signed(method: str, address: str, body: bytes, timestamp: str, secret: str) -> str:
    """HubSpot's third version of a signature."""
    text = method.encode() + address.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), text, "sha256")).decode()


def _rows(body: bytes, connection: Connection) -> Iterator[tuple[str, str]]:
    """The rows that a notice names, as (object, id). One app may be installed in several portals: others' rows are left out."""
    try:
        events = msgspec.json.decode(body, type=list[_Event])
    except msgspec.DecodeError as error:
        raise Refused("the body is no list of events") from error
    for event in events:
        if not connection.portal_id or str(event.portalId) == connection.portal_id:
            yield from ((name, row_id) for name, row_id in _named(event) if _is_id(row_id))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID


def _named(event: _Event) -> Iterator[tuple[str, str]]:
    kind, _, happening = event.subscriptionType.partition(".")
    if happening == "associationChange":
        yield from _ends(event)
        return
    name = _TYPES.get(event.objectTypeId) or _NAMES.get(kind)
    if name:
        for row_id in (event.objectId, event.primaryObjectId, event.newObjectId, *event.mergedObjectIds):
            yield name, str(row_id)


def _ends(event: _Event) -> Iterator[tuple[str, str]]:
    """Both ends of an association; a company holds nothing of its own about those."""
    one, _, other = event.associationType.lower().partition("_to_")
    names = (
        _TYPES.get(event.fromObjectTypeId) or _NAMES.get(one),
        _TYPES.get(event.toObjectTypeId) or _NAMES.get(other),
    )
    for name, row_id in zip(names, (event.fromObjectId, event.toObjectId), strict=True):
        if name and name != COMPANIES:
            yield name, str(row_id)
