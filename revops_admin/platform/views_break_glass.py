"""An operator enters a workspace's data, and leaves it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from isolation import context
from isolation.errors import NotFound
from pages.forms import carried_out
from rbac.breakglass.forms import EnterForm
from rbac.breakglass.services import break_glass_end, break_glass_start
from rbac.models_breakglass import BreakGlass
from revops_admin.platform.access import OperatorRequest, operator_view
from revops_admin.platform.views_workspaces import shown, tenant_of


@operator_view
@require_POST
def enter(request: OperatorRequest, slug: str) -> HttpResponse:
    """Begin a stay, and go in."""
    form = EnterForm(request.POST)
    with context.platform(f"operator enters the data of {slug}", request.operator):
        tenant = tenant_of(slug)

        def write() -> None:
            given = form.cleaned_data
            break_glass_start(
                tenant=tenant, reason=given["reason"], stay=given["stay"], ticket=given["ticket"],
                acting_user=request.operator,
            )  # fmt: skip

        is_done = carried_out(form, write)
    return redirect(f"/w/{slug}/") if is_done else shown(request, slug, enter_form=form)


@operator_view
@require_POST
def end(request: OperatorRequest, slug: str, stay_id: UUID) -> HttpResponse:
    """End a stay of one's own, or a colleague's."""
    with context.platform(f"operator leaves the data of {slug}", request.operator):
        stay = BreakGlass.objects.filter(tenant__slug=slug, pk=stay_id).first()
        if stay is None:
            raise NotFound(what="such stay")
        break_glass_end(stay=stay, acting_user=request.operator)
    messages.success(request, f"{stay.operator_label} is out of the workspace’s data.")
    return redirect("platform:workspace", slug=slug)
