"""The part of a workspace's page by which an operator enters its data, and the operator's own stays."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from isolation.actors import Actor
from pages.objects import Action
from pages.templatetags.formats import local_time
from rbac.breakglass.forms import EnterForm
from rbac.breakglass.selectors import own_stays_in_force
from rbac.models_breakglass import BreakGlass
from tenants.models import Tenant


@dataclass(frozen=True)
class OwnStay:
    """A stay of the operator who looks."""

    workspace: str
    url: str
    until: str
    reason: str
    end: Action


@dataclass(frozen=True)
class EnterPanel:
    """``form`` is None where the operator is inside already, or nobody can be. ``stays`` are in all workspaces."""

    form: EnterForm | None
    url: str
    stays: list[OwnStay]


def panel_of(tenant: Tenant, operator: Actor, form: EnterForm | None) -> EnterPanel:
    """Needs the platform context."""
    assert operator.user_id is not None
    stays = list(own_stays_in_force(operator.user_id).select_related("tenant"))
    is_inside = any(stay.tenant_id == tenant.id for stay in stays)
    is_offered = tenant.is_active and not is_inside
    return EnterPanel(
        form=form or (EnterForm() if is_offered else None),
        url=reverse("platform:break_glass_enter", kwargs={"slug": tenant.slug}),
        stays=[_own(stay) for stay in stays],
    )


def _own(stay: BreakGlass) -> OwnStay:
    slug = stay.tenant.slug
    address = reverse("platform:break_glass_end", kwargs={"slug": slug, "stay_id": stay.id})
    return OwnStay(
        workspace=stay.tenant.name,
        url=f"/w/{slug}/",
        until=f"{local_time(stay.until, stay.tenant.timezone)}, {stay.tenant.timezone.replace('_', ' ')}",
        reason=stay.reason,
        end=Action("End", address, icon="logout", method="post"),
    )
