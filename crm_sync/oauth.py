"""Connecting a CRM by a person's consent, and disconnecting it.

Like ``connection_test`` these are called outside every context: they open their own around the calls, so that no transaction
waits for a CRM.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass

import httpx
from django.db.models import F

from audit.services import record
from crm_sync import http, permissions
from crm_sync.addresses import login_address, origin_of
from crm_sync.anew import read_other_account
from crm_sync.connectors.base import ConfigurationProblem, ConnectorProblem
from crm_sync.connectors.salesforce import signing_in
from crm_sync.connectors.salesforce.signing_in import Account, Credentials
from crm_sync.consent import Pending, challenge_of, expiry, fresh_state, fresh_verifier, hash_of
from crm_sync.errors import ConnectionNotSetUp, ConsentNotOffered, ConsentRefused
from crm_sync.events import ConnectionAuthorized, ConnectionDisconnected, ConnectionNotAuthorized
from crm_sync.models import Connection, ConnectionState, SignIn
from crm_sync.secrets import decrypt, encrypt
from crm_sync.services.connections import first_sign_in
from crm_sync.tokens import Grant, opened, sealed
from crm_sync.waking import wake_dispatcher
from isolation import context
from isolation.actors import Actor, require
from isolation.errors import InvalidInput, NotFound
from tenants.models import Crm, Tenant

SALESFORCE = "salesforce"
_LONGEST_ERROR = 200
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """Where to send the browser, and what its session must remember until the answer comes."""

    address: str
    pending: Pending


def authorization_begin(
    *,
    tenant: Tenant,
    source: str,
    login_url: str,
    client_id: str,
    secret: str,
    callback: str,
    acting_user: Actor,
) -> Asked:
    """Ask for consent; nothing is saved yet. An empty ``secret`` is the stored one, where it was given for the same app and host.

    ``callback`` is the one address, for all workspaces, that the connected app must name. Raises: Forbidden, NotFound,
    ConsentNotOffered; InvalidInput, naming the field.
    """
    require(acting_user, permissions.EDIT, tenant.id)
    connection = _connection(tenant.id, source, acting_user)
    app = _app(connection, login_url, client_id, secret)
    state, verifier = fresh_state(), fresh_verifier()
    pending = Pending(
        connection_id=connection.id, tenant_id=tenant.id, workspace=tenant.slug, source=source,
        user_id=acting_user.user_id, login_url=app.login_url, client_id=app.client_id, secret=app.secret,
        callback=callback, verifier=verifier, state_hash=hash_of(state), expires_at=expiry(),
    )  # fmt: skip
    address = signing_in.consent_address(
        app, callback=callback, state=state, challenge=challenge_of(verifier)
    )
    return Asked(address, pending)


def _connection(tenant_id: int, source: str, acting_user: Actor) -> Connection:
    if source != SALESFORCE:
        raise ConsentNotOffered(crm=Crm(source).label if source in Crm.values else source)
    with context.of_actor(acting_user, tenant_id):
        connection: Connection | None = Connection.objects.filter(tenant_id=tenant_id, source=source).first()
    if connection is None:
        raise NotFound(what="CRM connection")
    return connection


def _app(connection: Connection, login_url: str, client_id: str, secret: str) -> Credentials:
    address, client_id = login_address(login_url), client_id.strip()
    if not client_id:
        raise InvalidInput(field="client_id", problem="Enter the client id of the connected app.")
    is_same = (
        origin_of(connection.login_url) == origin_of(address) and connection.client_id == client_id
        if connection.login_url
        else False
    )
    if not secret and is_same and connection.secret_encrypted:
        secret = decrypt(connection.secret_encrypted)
    return Credentials(address, client_id, secret)


def authorization_finish(*, pending: Pending, code: str, acting_user: Actor) -> Connection:
    """Redeem a consent's code and keep its tokens; the connection is ready to be read then.

    Raises: Forbidden, NotFound; ConsentRefused, after recording it, if the CRM gives no usable tokens.
    """
    require(acting_user, permissions.EDIT, pending.tenant_id)
    try:
        grant, account = _redeemed(pending, code)
    except ConnectorProblem as problem:
        raise _refused(pending, problem.sentence, acting_user) from problem
    with context.of_actor(acting_user, pending.tenant_id):
        return _connected(pending, grant, account, acting_user)


def authorization_decline(
    *, pending: Pending, error: str, description: str, acting_user: Actor
) -> ConsentRefused:
    """Record that the CRM's page answered with an error; gives the refusal to show."""
    require(acting_user, permissions.EDIT, pending.tenant_id)
    if error == "access_denied":
        sentence = (
            "Access was denied on Salesforce's page, so nothing was changed. Connect again and choose Allow."
        )
    else:
        said = f"{error}: {description}"[:_LONGEST_ERROR].rstrip(": ")
        sentence = f"Salesforce answered with an error instead of a consent ({said}). Nothing was changed."
    return _refused(pending, sentence, acting_user)


def _refused(pending: Pending, sentence: str, acting_user: Actor) -> ConsentRefused:
    _log.warning("the consent for connection %s came to nothing: %s", pending.connection_id, sentence)
    with context.of_actor(acting_user, pending.tenant_id):
        event = ConnectionNotAuthorized(
            target_id=str(pending.connection_id), target_label=pending.source, problem=sentence
        )
        record(event, acting_user=acting_user, tenant_id=pending.tenant_id)
    return ConsentRefused(problem=sentence)


def _redeemed(pending: Pending, code: str) -> tuple[Grant, Account]:
    app = Credentials(pending.login_url, pending.client_id, pending.secret)
    with closing(http.client()) as client:
        grant = signing_in.by_code(
            client, app, code=code, verifier=pending.verifier, callback=pending.callback
        )
        if problem := _what_lacks(grant):
            signing_in.revoke(client, app, grant.refresh_token or grant.access_token)
            raise ConfigurationProblem("consent_insufficient", problem)
        return grant, signing_in.account_of(client, grant)


def _what_lacks(grant: Grant) -> str:
    """Why tokens cannot serve a sync; empty, if they can."""
    advice = "Add it to the OAuth scopes of the connected app and connect again; nothing was changed."
    if not {"api", "full"} & set(grant.scope.split()):
        return f"Salesforce granted no right to read data (scope “api”). {advice}"
    if not grant.refresh_token:
        return f"Salesforce gave no refresh token, so syncs would end within hours (scope “refresh_token”). {advice}"
    return ""


def _connected(pending: Pending, grant: Grant, account: Account, acting_user: Actor) -> Connection:
    own = Connection.objects.select_for_update(no_key=True).filter(tenant_id=pending.tenant_id)
    connection = own.filter(pk=pending.connection_id).first()
    if connection is None:
        raise NotFound(what="CRM connection")
    is_other = _is_another(connection, pending, account)
    connection.sign_in, connection.login_url = SignIn.OAUTH, pending.login_url
    connection.client_id = pending.client_id
    connection.secret_encrypted = encrypt(pending.secret) if pending.secret else b""
    connection.tokens_encrypted, connection.tokens_version = sealed(grant), connection.tokens_version + 1
    connection.tokens_busy_until = None
    connection.account_label = account.label
    connection.portal_id = account.organisation or connection.portal_id
    connection.state, connection.error_code, connection.error_message = ConnectionState.ACTIVE, "", ""
    connection.save()
    if is_other:
        read_other_account(connection)
    event = ConnectionAuthorized(
        target_id=str(connection.id), target_label=connection.source, login_url=connection.login_url,
        client_id=connection.client_id, account=account.label,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    wake_dispatcher()
    return connection  # type: ignore[no-any-return]  # untyped: the manager's class is a parameter


def _is_another(connection: Connection, pending: Pending, account: Account) -> bool:
    """Whether it is another organisation than before; where Salesforce does not tell, its address does."""
    if connection.portal_id and account.organisation:
        return account.organisation != connection.portal_id
    return bool(connection.login_url) and origin_of(connection.login_url) != origin_of(pending.login_url)


def connection_disconnect(*, tenant_id: int, source: str, acting_user: Actor) -> str:
    """Forget secrets and tokens at once, then have the CRM end the consent; gives a sentence about how that went.

    What was read stays. Raises: Forbidden, NotFound, ConnectionNotSetUp.
    """
    require(acting_user, permissions.EDIT, tenant_id)
    with context.of_actor(acting_user, tenant_id):
        own = Connection.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, source=source)
        connection = own.first()
        if connection is None:
            raise NotFound(what="CRM connection")
        if connection.state == ConnectionState.NEW:
            raise ConnectionNotSetUp(source=source)
        own.update(
            state=ConnectionState.NEW, sign_in=first_sign_in(source), secret_encrypted=b"", tokens_encrypted=b"",
            webhook_secret_encrypted=b"",
            tokens_version=F("tokens_version") + 1, tokens_busy_until=None, account_label="", error_code="", error_message="",
        )  # fmt: skip
        record(_disconnected(connection), acting_user=acting_user, tenant_id=tenant_id)
    return _revoked(connection)


def _disconnected(connection: Connection) -> ConnectionDisconnected:
    return ConnectionDisconnected(
        target_id=str(connection.id), target_label=connection.source, sign_in=connection.sign_in
    )


def _revoked(connection: Connection) -> str:
    """End the consent at the CRM with the tokens that were just forgotten."""
    if connection.sign_in != SignIn.OAUTH or not connection.tokens_encrypted:
        return "The connection was disconnected, and its secret forgotten. What was read stays."
    try:
        with closing(http.client()) as client:
            is_ended = _revoke(client, connection)
    except ConnectorProblem as problem:
        _log.warning("the consent of connection %s was not revoked: %s", connection.pk, problem.sentence)
        is_ended = False
    if is_ended:
        return "The connection was disconnected, and Salesforce has ended the consent. What was read stays."
    return (
        "The connection was disconnected here, but Salesforce did not confirm the end of the consent: "
        "take it back there, under Connected Apps OAuth Usage. What was read stays."
    )


def _revoke(client: httpx.Client, connection: Connection) -> bool:
    grant = opened(connection.tokens_encrypted)
    app = Credentials(connection.login_url, connection.client_id, "")
    return signing_in.revoke(client, app, grant.refresh_token)
