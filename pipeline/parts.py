"""What a person's page shows of the CRM: whose CRM owners' deals are theirs."""

from __future__ import annotations

from contextlib import nullcontext

from django.urls import reverse

from crm_sync.models import Owner
from isolation import context
from pages.objects import Definition
from pipeline import permissions
from pipeline.access.figures import owner_figures
from pipeline.views.owners import figures_text
from rbac.parts import PersonPart
from rbac.requests import Workspace
from tenants.models import Member

SHOWN = 20


def crm_owners_of(workspace: Workspace, member: Member) -> PersonPart | None:
    """The person's CRM owners as far as the reader sees them; None where that could be none of several."""
    tenant = workspace.tenant
    sees_everything = workspace.actor.owner_ids is None
    # Forms that pass deals on run with a wider sight than the reader's own.
    with nullcontext() if sees_everything else context.of_actor(workspace.actor, tenant.id):
        owners = Owner.objects.filter(tenant_id=tenant.id, member_id=member.id)
        found = list(owners.order_by("name", "id")[:SHOWN])
        may_see = workspace.may(permissions.VIEW)
        sums = owner_figures(tenant.id, [one.id for one in found]) if found and may_see else {}
    if not found and not sees_everything:
        return None
    rows = [
        Definition(
            one.name or one.external_id,
            ", ".join(filter(None, [one.get_holder_origin_display(), figures_text(sums.get(one.id)) if may_see else ""])),
            reverse(
                "access:owner",
                kwargs={"tenant": tenant.slug, "source": one.source, "external_id": one.external_id},
            ),
        )
        for one in found
    ]  # fmt: skip
    return PersonPart("owners", "CRM owners", rows, empty="No CRM owner’s deals are this person’s.")
