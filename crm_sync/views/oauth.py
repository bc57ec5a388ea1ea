"""Connecting a CRM by consent: the way to its page, the one address that it answers to, and the way out again."""

from __future__ import annotations

import logging

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from crm_sync import consent, oauth
from crm_sync.addresses import origin_of
from crm_sync.consent import Pending
from crm_sync.errors import ConsentRefused, ConsentUnknown
from crm_sync.forms.oauth import ConsentForm
from crm_sync.models import Connection
from crm_sync.oauth import Asked
from crm_sync.permissions import EDIT
from crm_sync.shown import source_name, url
from isolation import context
from isolation.errors import DomainError, Forbidden, NotFound
from pages.objects import Action, Crumb, Page
from rbac.requests import Workspace, WorkspaceRequest, workspace_of, workspace_view
from tenants.models import Tenant

_log = logging.getLogger(__name__)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def oauth_begin(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Which app and where; then the way to the CRM's own page."""
    workspace = request.workspace
    connection = _connection(workspace, source)
    form = ConsentForm(request.POST.dict() if request.method == "POST" else None, connection=connection)
    if request.method == "POST" and (asked := _asked(request, form, source)):
        consent.remember(request.session, asked.pending)
        return _onward(request, asked)
    page = Page(
        title=f"Connect with {source_name(source)}",
        lead="You sign in on Salesforce's own page and allow reading there; your password never comes here.",
        crumbs=_crumbs(workspace.tenant, source),
    )
    facts = {
        "page": page, "form": form, "callback": _callback(request),
        "cancel": Action("Cancel", url("detail", workspace.tenant, source=source)),
    }  # fmt: skip
    return render(request, "crm_sync/oauth_begin.html", facts, status=400 if form.errors else 200)


def _connection(workspace: Workspace, source: str) -> Connection:
    with context.of_actor(workspace.actor, workspace.tenant.id):
        own = Connection.objects.filter(tenant_id=workspace.tenant.id, source=source)
        connection: Connection | None = own.first()
    if connection is None:
        raise NotFound(what="CRM connection")
    return connection


def _crumbs(tenant: Tenant, source: str) -> list[Crumb]:
    connection = Crumb(source_name(source), url("detail", tenant, source=source))
    return [Crumb("CRM sync", url("index", tenant)), connection]


def _asked(request: WorkspaceRequest, form: ConsentForm, source: str) -> Asked | None:
    """The request for consent; None, with the sentences in the form, where something does not fit."""
    if not form.is_valid():
        return None
    try:
        return oauth.authorization_begin(
            tenant=request.workspace.tenant, source=source, callback=_callback(request),
            acting_user=request.workspace.actor, **form.cleaned_data,
        )  # fmt: skip
    except Forbidden:
        raise
    except DomainError as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        return None


def _callback(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("crm_callback"))


def _onward(request: WorkspaceRequest, asked: Asked) -> HttpResponse:
    """A page with a link: browsers refuse to follow a form to another host, redirects included, where the policy says form-action 'self'."""
    origin = origin_of(asked.pending.login_url)
    page = Page(
        title="Continue on Salesforce's page",
        lead=f"Sign in at {origin.host if origin else asked.pending.login_url} and choose Allow; you come back here by yourself.",
        crumbs=_crumbs(request.workspace.tenant, asked.pending.source),
    )
    onward = Action("Continue to Salesforce", asked.address, icon="plug-connected", kind="primary")
    facts = {"page": page, "onward": onward, "minutes": consent.MINUTES}
    answer = render(request, "crm_sync/oauth_onward.html", facts)
    answer.headers["Refresh"] = f"0;url={asked.address}"
    return answer


@never_cache
@require_GET
@login_required
def oauth_callback(request: HttpRequest) -> HttpResponse:
    """What the CRM's page says, of whichever workspace: the one address that connected apps name."""
    user = request.user
    assert isinstance(user, User)
    try:
        pending = consent.take(request.session, request.GET.get("state", ""), user.id)
    except ConsentUnknown:
        _log.warning("user %s came back from a CRM with a state that nobody here waits for", user.id)
        raise
    # Written before the CRM is asked, so that the same answer sent twice at once counts once.
    request.session.save()
    workspace = workspace_of(request, pending.workspace)
    try:
        connection = _finished(request, pending, workspace)
    except ConsentRefused as refusal:
        messages.error(request, refusal.message)
        return redirect(url("oauth_begin", workspace.tenant, source=pending.source))
    label = connection.account_label or "Salesforce"
    messages.success(request, f"Connected as {label}. Start a sync, or wait for the schedule.")
    return redirect(url("detail", workspace.tenant, source=pending.source))


def _finished(request: HttpRequest, pending: Pending, workspace: Workspace) -> Connection:
    code, error = request.GET.get("code", ""), request.GET.get("error", "")
    if code and not error:
        return oauth.authorization_finish(pending=pending, code=code, acting_user=workspace.actor)
    raise oauth.authorization_decline(
        pending=pending, error=error or "no code", description=request.GET.get("error_description", ""),
        acting_user=workspace.actor,
    )  # fmt: skip


@require_POST
@workspace_view(EDIT, is_inside=False)
def disconnect(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Forget tokens and secrets, and have the CRM end the consent."""
    tenant = request.workspace.tenant
    told = oauth.connection_disconnect(
        tenant_id=tenant.id, source=source, acting_user=request.workspace.actor
    )
    messages.success(request, told)
    return redirect(url("detail", tenant, source=source))
