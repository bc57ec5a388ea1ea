"""Setting up a workspace: every app registers the step that it needs; a dry run lists the same plan that a run carries out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from zoneinfo import available_timezones

from audit.services import record
from isolation import context
from isolation.actors import Actor
from isolation.errors import InvalidInput
from tenants.configs import config_path, staged
from tenants.errors import ConfigNotWritable, TenantExists
from tenants.events import TenantProvisioned
from tenants.models import Crm, Tenant, TenantKind, Tier
from tenants.services import settings_save, tenant_create
from tenants.settings_schema import default_settings

SLUG_LENGTH = 60


@dataclass(frozen=True)
class Resource:
    """One thing that provisioning makes: ``kind`` (tenant, group, settings, dataset, schedule, alert rule, file), name, detail."""

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True)
class Request:
    """What is asked for, already checked."""

    name: str
    slug: str
    tier: Tier
    crm: Crm
    timezone: str
    kind: TenantKind = TenantKind.CUSTOMER


@dataclass(frozen=True)
class Step:
    """``plan`` lists what ``apply`` will make in the new workspace; ``apply`` runs inside its tenant-wide context."""

    code: str
    plan: Callable[[Request], list[Resource]]
    apply: Callable[[Tenant, Request, Actor], None]


_steps: dict[str, Step] = {}


def register_step(step: Step) -> None:
    """Add an app's part of provisioning; steps run in the order of the apps."""
    _steps[step.code] = step


def request_checked(
    *, customer: str, tier: str, crm: str, timezone: str, kind: TenantKind = TenantKind.CUSTOMER
) -> Request:
    """A request with every field checked. Raises: InvalidInput, naming the field and what would be right."""
    slug = slug_of(customer)
    if not slug:
        raise InvalidInput(
            field="customer",
            problem=f"“{customer}” has no letters or digits to make a name of. Give a name like “Acme Corp”.",
        )
    if timezone not in available_timezones():
        raise InvalidInput(
            field="timezone",
            problem=f"“{timezone}” is not a time zone. Use an IANA name like America/Los_Angeles.",
        )
    return Request(
        name=customer.strip(), slug=slug, tier=Tier(_choice("tier", tier, Tier.values)),
        crm=Crm(_choice("crm", crm, Crm.values)), timezone=timezone, kind=kind,
    )  # fmt: skip


def _choice(field: str, value: str, allowed: list[str]) -> str:
    if value not in allowed:
        raise InvalidInput(
            field=field, problem=f"“{value}” is not a {field}. Use one of: {', '.join(allowed)}."
        )
    return value


def slug_of(customer: str) -> str:
    """The name in addresses and files: lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", customer.lower()).strip("-")[:SLUG_LENGTH].strip("-")


def plan(request: Request) -> list[Resource]:
    """Everything that provisioning would make, in order."""
    own = [
        Resource(
            "tenant", request.slug, f"{request.name}, {request.tier}, {request.crm}, {request.timezone}"
        ),
        Resource("settings", "version 1", f"defaults of the {request.tier} tier"),
    ]
    steps = [resource for step in _steps.values() for resource in step.plan(request)]
    return [*own, *steps, Resource("file", f"{request.slug}.json", "the workspace's settings as a file")]


def require_free(request: Request, *, acting_user: Actor) -> None:
    """Refuse a name that is taken, for a dry run as for a run. Raises: TenantExists."""
    with context.platform(f"is {request.slug} free", acting_user):
        if Tenant.objects.filter(slug=request.slug).exists():
            raise TenantExists(slug=request.slug)


def provision(
    request: Request, *, acting_user: Actor, also: Callable[[Tenant], None] | None = None
) -> Tenant:
    """Make the whole workspace, and what ``also`` adds to it, or nothing.

    Raises: TenantExists, ConfigNotWritable and whatever a step or ``also`` refuses with.
    """
    resources = plan(request)
    path = config_path(request.slug)
    with staged(path) as new:
        with context.platform(f"provision workspace {request.slug}", acting_user):
            tenant = tenant_create(tenant=_tenant(request), acting_user=acting_user)
            with context.tenant_wide(tenant.id):
                _fill(tenant, request, resources, acting_user)
            if also is not None:
                also(tenant)
            _stage_config(new, request, resources)
        new.replace(path)  # after the commit: a file stands only for a workspace that exists
    return tenant


def _tenant(request: Request) -> Tenant:
    return Tenant(
        slug=request.slug,
        name=request.name,
        kind=request.kind,
        tier=request.tier,
        crm=request.crm,
        timezone=request.timezone,
    )


def _fill(tenant: Tenant, request: Request, resources: list[Resource], acting_user: Actor) -> None:
    settings_save(tenant=tenant, data=default_settings(request.tier).model_dump(), acting_user=acting_user)
    for step in _steps.values():
        step.apply(tenant, request, acting_user)
    event = TenantProvisioned(
        target_id=str(tenant.id),
        target_label=tenant.name,
        tier=tenant.tier,
        crm=tenant.crm,
        resources=len(resources),
    )
    record(event, acting_user=acting_user)


def _stage_config(new: Path, request: Request, resources: list[Resource]) -> None:
    document = {
        "customer_id": request.slug,
        "customer_name": request.name,
        "tier": request.tier,
        "crm": request.crm,
        "timezone": request.timezone,
        **default_settings(request.tier).model_dump(mode="json"),
        "resources": [asdict(resource) for resource in resources],
    }
    try:
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(document, indent=2) + "\n")
    except OSError as error:
        raise ConfigNotWritable(path=new.parent, reason=error.strerror) from error
