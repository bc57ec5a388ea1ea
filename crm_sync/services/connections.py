"""Making, changing and testing a connection."""

from __future__ import annotations

from contextlib import closing

from django.db import transaction
from django.db.models import F

from audit.services import record
from crm_sync import conf, permissions
from crm_sync.addresses import origin_of
from crm_sync.anew import read_other_account
from crm_sync.connectors import OPENERS, opener_of
from crm_sync.connectors.base import ConnectorProblem
from crm_sync.engine.execute import open_source
from crm_sync.errors import (
    ConnectionChanged,
    ConnectionExists,
    ConnectionRefused,
    ConnectorMissing,
)
from crm_sync.events import ConnectionAdded, ConnectionSaved, ConnectionTested
from crm_sync.models import (
    Connection,
    ConnectionState,
    SignIn,
    SyncSchedule,
)
from crm_sync.schedules import BOUNDS
from crm_sync.secrets import encrypt
from crm_sync.selectors import connection_of
from crm_sync.waking import wake_dispatcher
from isolation import context
from isolation.actors import Actor, require
from isolation.errors import InvalidInput, NotFound
from tenants.models import Crm, Tenant, Tier
from tenants.selectors import tenant_locked

HUBSPOT_ADDRESS = "https://api.hubapi.com"


@transaction.atomic
def connection_add(*, tenant: Tenant, source: str, acting_user: Actor) -> Connection:
    """Give a workspace a connection to one more CRM, to be synced as its tier has it, and still without credentials.

    Raises: Forbidden; SourceUnknown, for a CRM that cannot be read; ConnectionExists.
    """
    require(acting_user, permissions.EDIT, tenant.id)
    opener_of(source)
    tenant_locked(tenant.id)  # two clicks at once make one connection
    if connection_of(tenant.id, source) is not None:
        raise ConnectionExists(tenant=tenant.name, crm=Crm(source).label)
    connection, schedule = connection_begin(tenant, source)
    event = ConnectionAdded(
        target_id=str(connection.id), target_label=source, every_minutes=schedule.every_minutes
    )
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    return connection


def connection_begin(tenant: Tenant, source: str) -> tuple[Connection, SyncSchedule]:
    """The rows of a new connection; whoever makes them has judged and records it."""
    address = HUBSPOT_ADDRESS if source == Crm.HUBSPOT else ""
    connection = Connection(tenant=tenant, source=source, sign_in=first_sign_in(source), login_url=address)
    connection.save(force_insert=True)
    minutes = BOUNDS[Tier(tenant.tier)].default
    schedule = SyncSchedule(tenant=tenant, connection=connection, every_minutes=minutes)
    schedule.save(force_insert=True)
    return connection, schedule


def first_sign_in(source: str) -> SignIn:
    """How a connection that nobody has set up is to sign in."""
    return SignIn.TOKEN if source == Crm.HUBSPOT else SignIn.CLIENT_CREDENTIALS


@transaction.atomic
def connection_save(
    *, connection: Connection, login_url: str, client_id: str, secret: str, acting_user: Actor
) -> Connection:
    """Have a connection sign in as a connected app; an empty ``secret`` keeps the one that is there.

    A new host or client id needs the secret again, and counts as another organisation: everything is read again.
    Raises: Forbidden, ConnectorMissing; InvalidInput, naming the field.
    """
    require(acting_user, permissions.EDIT, connection.tenant_id)
    require_connector(connection)
    address = _address(login_url, "the login address, such as https://yourcompany.my.salesforce.com")
    client_id = _given("client_id", client_id, "the client id of the connected app")
    if secret:
        connection.secret_encrypted = encrypt(secret)
    else:
        _require_secret_of(connection, address, client_id)
    is_other = bool(connection.login_url) and not _is_same_app(connection, address, client_id)
    connection.login_url, connection.client_id = address, client_id
    if is_other:
        connection.portal_id = ""
        read_other_account(connection)
    return _saved(connection, SignIn.CLIENT_CREDENTIALS, bool(secret), acting_user)


@transaction.atomic
def connection_token_save(
    *, connection: Connection, login_url: str, token: str, webhook_secret: str, acting_user: Actor
) -> Connection:
    """Have a connection sign in with a private app's token; what is left empty is kept as it is.

    Another host needs the token again. Raises: Forbidden, ConnectorMissing; InvalidInput, naming the field.
    """
    require(acting_user, permissions.EDIT, connection.tenant_id)
    require_connector(connection)
    address = _address(login_url, f"the address of the CRM's API, such as {HUBSPOT_ADDRESS}")
    if token:
        connection.secret_encrypted = encrypt(_header_safe("token", token.strip()))
    elif not connection.secret_encrypted:
        raise InvalidInput(field="token", problem="Enter the access token of the private app.")
    elif origin_of(connection.login_url) != origin_of(address):
        problem = (
            "Enter the token again: the stored one was given for another address, and is sent nowhere else."
        )
        raise InvalidInput(field="token", problem=problem)
    if webhook_secret:
        connection.webhook_secret_encrypted = encrypt(webhook_secret.strip())
    connection.login_url = address
    return _saved(connection, SignIn.TOKEN, bool(token), acting_user)


def _saved(connection: Connection, sign_in: SignIn, has_new_secret: bool, acting_user: Actor) -> Connection:
    """Tokens of another way to sign in are forgotten; whoever renews them at this moment finds that they are not the same any more."""
    connection.sign_in, connection.state = sign_in, ConnectionState.ACTIVE
    connection.error_code, connection.error_message = "", ""
    connection.tokens_encrypted = b""
    connection.save()
    Connection.objects.filter(tenant_id=connection.tenant_id, pk=connection.pk).update(
        tokens_version=F("tokens_version") + 1
    )
    event = ConnectionSaved(
        target_id=str(connection.id), target_label=connection.source, login_url=connection.login_url,
        client_id=connection.client_id, has_new_secret=has_new_secret,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    wake_dispatcher()
    connection.refresh_from_db()
    return connection


def require_connector(connection: Connection) -> None:
    """Refuse what cannot work before the program can read that CRM. Raises: ConnectorMissing."""
    if connection.source not in OPENERS:
        raise ConnectorMissing(crm=Crm(connection.source).label)


def _require_secret_of(connection: Connection, address: str, client_id: str) -> None:
    """Whoever may change the address must not be able to have the stored secret sent to a host of their own."""
    if not connection.secret_encrypted:
        raise InvalidInput(field="secret", problem="Enter the client secret of the connected app.")
    if not _is_same_app(connection, address, client_id):
        problem = (
            "Enter the client secret again: the stored one was given for another login address or client id, "
            "and is sent nowhere else."
        )
        raise InvalidInput(field="secret", problem=problem)


def _is_same_app(connection: Connection, address: str, client_id: str) -> bool:
    return origin_of(connection.login_url) == origin_of(address) and connection.client_id == client_id


def _header_safe(field: str, secret: str) -> str:
    """A secret that an HTTP header can carry. Raises: InvalidInput, which does not repeat it."""
    if not (secret.isascii() and secret.isprintable() and " " not in secret):
        problem = "A token has no spaces, line breaks or special characters. Copy it again, from its first to its last character."
        raise InvalidInput(field=field, problem=problem)
    return secret


def _given(field: str, value: str, what: str) -> str:
    if not value.strip():
        raise InvalidInput(field=field, problem=f"Enter {what}.")
    return value.strip()


def _address(login_url: str, what: str) -> str:
    given = _given("login_url", login_url, what).rstrip("/")
    origin = origin_of(given)
    if origin is None:
        problem = f"“{given}” is not a login address. Use one like https://yourcompany.my.salesforce.com."
        raise InvalidInput(field="login_url", problem=problem)
    if origin.scheme != "https" and origin.host not in conf.allowed_private_hosts():
        raise InvalidInput(
            field="login_url",
            problem="The login address must begin with https://, so that the secret is not sent in the clear.",
        )
    return given


def connection_test(*, tenant_id: int, source: str, acting_user: Actor) -> str:
    """Sign in to the CRM and look; gives a sentence about what was found.

    To be called outside every context: it opens its own before and after the calls, so that no transaction waits for a CRM.
    Raises: Forbidden, NotFound, ConnectorMissing, ConnectionNotSetUp, ConnectionRefused, ConnectionChanged.
    """
    require(acting_user, permissions.EDIT, tenant_id)
    with context.of_actor(acting_user, tenant_id):
        connection = connection_of(tenant_id, source)
    if connection is None:
        raise NotFound(what="CRM connection")
    require_connector(connection)
    found = _checked(connection)
    with context.of_actor(acting_user, tenant_id):
        _passed(connection, found, acting_user)
    return found


def _checked(connection: Connection) -> str:
    try:
        with closing(open_source(connection)) as source:
            return source.check()
    except ConnectorProblem as problem:
        raise ConnectionRefused(problem=problem.sentence) from problem


def _passed(connection: Connection, found: str, acting_user: Actor) -> None:
    tested = Connection.objects.filter(
        tenant_id=connection.tenant_id, pk=connection.pk, sign_in=connection.sign_in, login_url=connection.login_url,
        client_id=connection.client_id, secret_encrypted=connection.secret_encrypted,
    )  # fmt: skip
    if not tested.update(state=ConnectionState.ACTIVE, error_code="", error_message=""):
        raise ConnectionChanged
    event = ConnectionTested(
        target_id=str(connection.id), target_label=connection.source, before=connection.state, found=found
    )
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    wake_dispatcher()
