"""A new workspace: the form, the plan, the confirmation."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from isolation.errors import DomainError
from pages.objects import Crumb, Page
from revops_admin.platform.access import OperatorRequest, operator_view
from revops_admin.platform.forms import ProvisionForm, zones
from tenants.models import Tenant, TenantKind
from tenants.provisioning import Resource, plan, provision, require_free


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionPage(Page):
    """The form; after it was sent once also what would be made."""

    form: ProvisionForm
    zones: list[str]
    plan: list[Resource]


@operator_view
@require_http_methods(["GET", "HEAD", "POST"])
def provision_workspace(request: OperatorRequest) -> HttpResponse:
    """Ask for a new workspace, see what would be made, make it."""
    form = ProvisionForm(request.POST if request.method == "POST" else None)
    resources: list[Resource] = []
    if request.method == "POST" and form.is_valid():
        try:
            require_free(form.request, acting_user=request.operator)
            if "confirm" in request.POST:
                return _provisioned(request, provision(form.request, acting_user=request.operator))
            resources = plan(form.request)
        except DomainError as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    page = ProvisionPage(
        title="New workspace",
        lead="Nothing is made before you have seen the plan and confirmed it.",
        crumbs=[Crumb("Workspaces", reverse("platform:workspaces"))],
        form=form,
        zones=zones(),
        plan=resources,
    )
    return render(request, "platform/provision.html", {"page": page}, status=400 if form.errors else 200)


def _provisioned(request: OperatorRequest, tenant: Tenant) -> HttpResponse:
    who = "partner" if tenant.kind == TenantKind.PARTNER else "admin"
    messages.success(request, f"{tenant.name} is ready. Add its first {who} below.")
    return redirect("platform:workspace", slug=tenant.slug)
