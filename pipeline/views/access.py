"""Who sees a deal, and why: one member's answer, everybody's, now or at a moment of the past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from crm_sync.models import Opportunity
from isolation import context
from isolation.errors import DomainError, InvalidInput
from pages.objects import Crumb, Page
from pages.sheets import csv_response
from pages.templatetags.formats import count, local_time
from pipeline import permissions
from pipeline.access.answers import Everybody, Verdict, everybody, member_asked, verdict
from pipeline.selectors import deal_named
from pipeline.services import access_export_record
from pipeline.views.deals import deal_url, deals_url
from rbac.forms_people import MEMBERS_LISTED, people_widget
from rbac.forms_roles import LocalInstantField
from rbac.permissions import ACCESS_EXPLAIN
from rbac.requests import WorkspaceRequest, workspace_view
from rbac.sharing import partners_offered
from tenants.models import Member


class AccessForm(forms.Form):
    """Whom to ask about (empty: everybody) and as of when (empty: now)."""

    def __init__(self, data: QueryDict, *, zone: str, listed: Sequence[Member] | None) -> None:
        super().__init__(data)
        self.fields["member"] = forms.CharField(
            label="Person" if listed is not None else "Person (e-mail address)",
            max_length=254,
            required=False,
            widget=people_widget(listed, nobody="Everybody"),
        )
        self.fields["at"] = LocalInstantField(
            zone=zone,
            label="As it was on",
            required=False,
            help_text=f"Empty: as it is now. {zone.replace('_', ' ')}.",
        )


@dataclass(frozen=True)
class _Answer:
    one: Verdict | None = None
    all: Everybody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPage(Page):
    """``one`` is the answer about a member, ``all`` the list of everybody; neither where the form was refused."""

    form: AccessForm
    one: Verdict | None
    all: Everybody | None
    list_title: str
    export_url: str


@workspace_view(ACCESS_EXPLAIN)
@require_GET
def deal_access(request: WorkspaceRequest, external_id: str) -> HttpResponse:
    """``/w/<tenant>/deals/<external_id>/access/``. Raises: NotFound, also for a deal that the asker does not see."""
    tenant = request.workspace.tenant
    deal = deal_named(tenant.id, external_id)
    form = _form(request)
    answer = _Answer()
    if form.is_valid():
        try:
            answer = _answer(request, deal, form.cleaned_data["member"], form.cleaned_data["at"])
        except DomainError as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    page = AccessPage(
        title="Who sees this deal",
        lead=_lead(deal, answer),
        crumbs=[Crumb("Deals", deals_url(tenant.slug)), Crumb(deal.name, deal_url(tenant.slug, external_id))],
        form=form,
        one=answer.one,
        all=answer.all,
        list_title=_list_title(answer.all, tenant.timezone),
        export_url=_export_url(request, external_id) if answer.all else "",
    )
    return TemplateResponse(
        request, "pipeline/access.html", {"page": page}, status=400 if form.errors else 200
    )


def _form(request: WorkspaceRequest) -> AccessForm:
    tenant = request.workspace.tenant
    listed = partners_offered(tenant.id, besides=None, at_most=MEMBERS_LISTED)
    return AccessForm(request.GET, zone=tenant.timezone, listed=listed)


def _answer(request: WorkspaceRequest, deal: Opportunity, member: str, at: datetime | None) -> _Answer:
    """What was asked. The deal was found in the asker's own sight; who else sees it, only the whole workspace tells."""
    tenant = request.workspace.tenant
    with context.tenant_wide(tenant.id):
        one = verdict(deal, member_asked(tenant, member), at) if member else None
        return _Answer(one, everybody(deal, at))


def _lead(deal: Opportunity, answer: _Answer) -> str:
    if answer.one is not None:
        return answer.one.sentence
    if answer.all is None:
        return "Nothing was asked yet: correct what is marked."
    verb = "saw" if answer.all.at else "sees" if len(answer.all.seen) == 1 else "see"
    return f"{count(len(answer.all.seen), 'person', 'people')} {verb} “{deal.name}”."


def _list_title(found: Everybody | None, zone: str) -> str:
    if found is None or found.at is None:
        return "Everybody who sees it now"
    return f"Everybody who saw it on {local_time(found.at, zone)}"


def _export_url(request: WorkspaceRequest, external_id: str) -> str:
    if not request.workspace.may(permissions.EXPORT):
        return ""
    at = request.GET.get("at", "")
    where = f"{deal_url(request.workspace.tenant.slug, external_id)}access/export/"
    return f"{where}?{urlencode({'at': at})}" if at else where


@workspace_view(ACCESS_EXPLAIN)
@require_GET
def deal_access_export(request: WorkspaceRequest, external_id: str) -> HttpResponseBase:
    """``/w/<tenant>/deals/<external_id>/access/export/``: the list as a file. Raises: Forbidden, NotFound, InvalidInput."""
    tenant, actor = request.workspace.tenant, request.workspace.actor
    deal = deal_named(tenant.id, external_id)
    form = _form(request)
    if not form.is_valid():
        raise InvalidInput(field="at", problem=str(next(iter(form.errors.values()))[0]))
    at: datetime | None = form.cleaned_data["at"]
    access_export_record(deal=deal, at=at, acting_user=actor)
    with context.tenant_wide(tenant.id):
        found = everybody(deal, at)
    return csv_response(f"{tenant.slug}-who-sees-{deal.external_id}", ("person", "why"), _cells(found))


def _cells(found: Everybody) -> Iterator[Sequence[object]]:
    for one in found.seen:
        for reason in one.reasons:
            yield str(one.member), reason
