"""Bringing the demo to where it should be, from wherever it is: run at every `make up`, quick when all is there."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from accounts.models import User
from accounts.selectors import has_valid_key, user_by_email
from accounts.services import password_set, user_create
from crm_sync.models import Connection, RunState, SyncRun
from crm_sync.secrets import decrypt
from crm_sync.services.connections import connection_save, connection_token_save
from isolation import context
from isolation.actors import Actor
from operations.models import PriorityItem
from operations.services import items_import
from rbac.models import ReportingLine
from rbac.services import reporting_line_set
from revops_admin.demo.items import items_of
from revops_admin.demo.people import OPERATOR_EMAIL, ORGANISATIONS, Organisation, Person
from tenants.models import Crm, Member, Tenant, TenantKind
from tenants.provisioning import provision, request_checked
from tenants.services import member_add, partner_key_issue

ACTOR = Actor.system("demo")
FILE = "demo.json"


@dataclass
class Demo:
    """What `make up` tells: where to look and how to sign in."""

    home: Path
    web_url: str
    sandbox_url: str
    password: str
    keys: dict[str, str]

    @classmethod
    def remembered(cls, home: Path, *, web_url: str, sandbox_url: str) -> Demo:
        """The demo of this home; password and keys are those of the last time, if its file is still there."""
        try:
            before = json.loads((home / FILE).read_text())
            password = before["accounts"][0]["password"]
            keys = {partner["tenant"]: partner["access_key"] for partner in before["partners"]}
        except (OSError, ValueError, LookupError):
            password, keys = f"demo-{secrets.token_hex(4)}", {}
        return cls(home, web_url, sandbox_url, password, keys)

    def write(self) -> None:
        """Write ``demo.json``, readable by its owner alone."""
        document = {
            "web": self.web_url,
            "sandbox": self.sandbox_url,
            "accounts": list(self._accounts()),
            "partners": [{"access_key": key, "tenant": slug} for slug, key in self.keys.items()],
        }
        staged = self.home / f"{FILE}.new"
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(json.dumps(document, indent=2) + "\n")
        staged.replace(self.home / FILE)

    def _accounts(self) -> Iterator[dict[str, Any]]:
        yield {"email": OPERATOR_EMAIL, "password": self.password, "role": "operator", "tenant": None}
        for organisation in ORGANISATIONS:
            if organisation.kind is TenantKind.CUSTOMER:
                for person in organisation.people:
                    email = organisation.email(person)
                    yield {
                        "email": email,
                        "password": self.password,
                        "role": str(person.role),
                        "tenant": organisation.slug,
                    }


def set_up(demo: Demo) -> list[Tenant]:
    """Everything but the first sync; the workspaces that still need one."""
    _ensure_user(demo, OPERATOR_EMAIL, "Olivia Operator", is_operator=True)
    tenants = [_ensure_workspace(demo, organisation) for organisation in ORGANISATIONS]
    return [tenant for tenant in tenants if _needs_sync(tenant)]


def _ensure_user(
    demo: Demo, email: str, name: str, *, is_operator: bool = False, has_password: bool = True
) -> User:
    password = demo.password if has_password else None
    user = user_by_email(email)
    if user is None:
        return user_create(
            email=email, name=name, password=password, is_operator=is_operator, acting_user=ACTOR
        )
    if password and not user.check_password(password):
        return password_set(user=user, password=password, acting_user=ACTOR)
    return user


def workspace_of(organisation: Organisation) -> Tenant | None:
    """The organisation's workspace, None before it is provisioned."""
    with context.platform("find the demo's workspaces", ACTOR):
        found: Tenant | None = Tenant.objects.filter(slug=organisation.slug).first()
        return found


def _ensure_workspace(demo: Demo, organisation: Organisation) -> Tenant:
    tenant = workspace_of(organisation)
    if tenant is None:
        tenant = provision(_request(organisation), acting_user=ACTOR)
    users = [
        _ensure_user(
            demo,
            organisation.email(person),
            person.name,
            has_password=organisation.kind is TenantKind.CUSTOMER,
        )
        for person in organisation.people
    ]
    with context.tenant_wide(tenant.id):
        members = {
            person.mailbox: _ensure_member(tenant, user, person)
            for person, user in zip(organisation.people, users, strict=True)
        }
        _ensure_connection(demo, organisation, tenant)
        _ensure_items(tenant, organisation.seed)
        _ensure_lines(organisation, members)
        if organisation.kind is TenantKind.PARTNER:
            _ensure_key(demo, organisation, next(iter(members.values())))
    return tenant


def _request(organisation: Organisation) -> Any:
    return request_checked(
        customer=organisation.name,
        tier=organisation.tier,
        crm=organisation.crm,
        timezone=organisation.timezone,
        kind=organisation.kind,
    )


def _ensure_member(tenant: Tenant, user: User, person: Person) -> Member:
    member = Member.objects.filter(tenant=tenant, user_id=user.id).first()
    return member or member_add(tenant=tenant, user=user, role=person.role, acting_user=ACTOR)


def _ensure_lines(organisation: Organisation, members: dict[str, Member]) -> None:

    if ReportingLine.objects.exists():  # later changes are the user's own
        return
    for person in organisation.people:
        if person.manager:
            reporting_line_set(
                member=members[person.mailbox], manager=members[person.manager], acting_user=ACTOR
            )


def _ensure_connection(demo: Demo, organisation: Organisation, tenant: Tenant) -> None:
    connection = Connection.objects.get(tenant=tenant, source=organisation.crm)
    if organisation.crm is Crm.HUBSPOT:
        _ensure_portal(demo, organisation, connection)
    elif connection.login_url != demo.sandbox_url:
        connection_save(
            connection=connection,
            login_url=demo.sandbox_url,
            client_id=f"sandbox-{organisation.slug}",
            secret=f"sandbox-secret-{organisation.slug}",
            acting_user=ACTOR,
        )


def _ensure_portal(demo: Demo, organisation: Organisation, connection: Connection) -> None:
    """The connection with a webhook secret of its own, and the portal's webhooks, which it forgets when it ends."""
    address = f"{demo.sandbox_url}/portals/{organisation.slug}"
    steering = f"{demo.sandbox_url}/_sandbox/portals/{organisation.slug}"
    if connection.login_url != address:
        connection_token_save(
            connection=connection,
            login_url=address,
            token=httpx.get(steering).raise_for_status().json()["token"],
            webhook_secret=secrets.token_urlsafe(24),
            acting_user=ACTOR,
        )
    hook = {
        "url": f"{demo.web_url}/hooks/hubspot/{organisation.slug}/",
        "client_secret": decrypt(connection.webhook_secret_encrypted),
    }
    httpx.post(f"{steering}/webhooks", json={"subscription": hook}).raise_for_status()


def _ensure_items(tenant: Tenant, seed: int) -> None:
    if not PriorityItem.objects.filter(tenant=tenant).exists():
        items_import(tenant_id=tenant.id, items=items_of(seed), rejected=0, acting_user=ACTOR)


def _ensure_key(demo: Demo, organisation: Organisation, member: Member) -> None:
    if not (has_valid_key(member.user_id) and organisation.slug in demo.keys):
        _, demo.keys[organisation.slug] = partner_key_issue(member=member, acting_user=ACTOR)


def _needs_sync(tenant: Tenant) -> bool:
    with context.tenant_wide(tenant.id):
        return not SyncRun.objects.filter(tenant=tenant, state=RunState.SUCCEEDED).exists()
