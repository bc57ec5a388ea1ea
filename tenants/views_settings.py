"""The workspace's settings: facts, one form for each part, and every version with who saved it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from audit.permissions import VIEW as AUDIT_VIEW
from isolation.errors import NotFound
from isolation.requests import InWorkspace, workspace_view
from pages.forms import carried_out
from pages.objects import Action, Definition, Page, TimelineEntry
from pages.templatetags.formats import local_time
from tenants.forms import SECTIONS, SectionForm, TimezoneForm
from tenants.models import Crm, SettingsVersion, Tenant, Tier
from tenants.permissions import EDIT, VIEW
from tenants.selectors import settings_of
from tenants.services import settings_save, timezone_set

VERSIONS_SHOWN = 20
_STANDARD = "The defaults"
AnyForm = SectionForm | TimezoneForm


@dataclass(frozen=True)
class Section:
    """One part of the settings: its form, and what is in force for those who may only read."""

    title: str
    lead: str
    form: AnyForm
    url: str
    values: list[Definition]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPage(Page):
    """The whole page."""

    facts: list[Definition]
    sections: list[Section]
    versions: list[TimelineEntry]
    may_edit: bool


@workspace_view(VIEW)
@require_safe
def overview(request: InWorkspace) -> HttpResponse:
    """Everything that is set."""
    return _shown(request)


@workspace_view(EDIT)
@require_POST
def save(request: InWorkspace, section: str) -> HttpResponse:
    """Save one part as the next version of the settings."""
    if section not in SECTIONS:
        raise NotFound(what="part of the settings with that name")
    tenant, actor = _tenant(request), request.workspace.actor
    form = SECTIONS[section](request.POST)

    def write() -> None:
        current = settings_of(tenant.id)
        if form.changed_in(current) != current.model_dump():
            settings_save(tenant=tenant, data=form.changed_in(current), acting_user=actor)

    if carried_out(form, write):
        messages.success(request, f"{form.title} is saved.")
        return redirect("settings:overview", tenant=tenant.slug)
    return _shown(request, refused=form)


@workspace_view(EDIT, is_wide=True)  # a member's own context may not change the workspace's row
@require_POST
def save_timezone(request: InWorkspace) -> HttpResponse:
    """Choose the zone of the pages."""
    tenant, actor = _tenant(request), request.workspace.actor
    form = TimezoneForm(request.POST)
    if carried_out(
        form, lambda: timezone_set(tenant=tenant, timezone=form.cleaned_data["timezone"], acting_user=actor)
    ):
        messages.success(request, f"Times are shown in {tenant.timezone} now.")
        return redirect("settings:overview", tenant=tenant.slug)
    return _shown(request, refused=form)


def _tenant(request: InWorkspace) -> Tenant:
    tenant = request.workspace.tenant
    assert isinstance(tenant, Tenant)
    return tenant


def _shown(request: InWorkspace, *, refused: AnyForm | None = None) -> HttpResponse:
    tenant = Tenant.objects.get(
        pk=request.workspace.tenant.id
    )  # afresh: a refused write may have touched the object
    may_edit = request.workspace.may(EDIT)
    page = SettingsPage(
        title="Settings",
        lead="What is judged critical, stale or late, and who hears of it."
        + ("" if may_edit else " Only an admin can change it."),
        actions=_actions(request),
        facts=_facts(tenant),
        sections=list(_sections(tenant, refused)),
        versions=_versions(tenant),
        may_edit=may_edit,
    )
    return render(request, "tenants/settings.html", {"page": page}, status=400 if refused else 200)


def _actions(request: InWorkspace) -> list[Action]:
    if not request.workspace.may(AUDIT_VIEW):
        return []
    url = reverse("settings:isolation", kwargs={"tenant": request.workspace.tenant.slug})
    return [Action("Isolation report", url, icon="shield-lock")]


def _facts(tenant: Tenant) -> list[Definition]:
    return [
        Definition("Name", tenant.name),
        Definition("Tier", Tier(tenant.tier).label),
        Definition("CRM", Crm(tenant.crm).label),
        Definition("Time zone", tenant.timezone.replace("_", " ")),
        Definition("Currency", tenant.currency),
    ]


def _sections(tenant: Tenant, refused: AnyForm | None) -> Iterator[Section]:
    current = settings_of(tenant.id)
    for code, kind in SECTIONS.items():
        url = reverse("settings:save", kwargs={"tenant": tenant.slug, "section": code})
        yield _section(kind(initial=kind.initial_of(current)), refused, url)
    url = reverse("settings:timezone", kwargs={"tenant": tenant.slug})
    yield _section(TimezoneForm(initial={"timezone": tenant.timezone}), refused, url)


def _section(form: AnyForm, refused: AnyForm | None, url: str) -> Section:
    shown = refused if type(refused) is type(form) and refused else form
    return Section(form.title, form.lead, shown, url, _values(form))


def _values(form: AnyForm) -> list[Definition]:
    return [Definition(str(field.label), _plain(field.initial)) for field in form.visible_fields()]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("\n", ", ") or "–"


def _versions(tenant: Tenant) -> list[TimelineEntry]:
    newest = list(
        SettingsVersion.objects.filter(tenant_id=tenant.id).order_by("-version")[: VERSIONS_SHOWN + 1]
    )
    before: list[Mapping[str, Any]] = [older.data for _, older in pairwise(newest)]
    texts = [", ".join(_changes(old, new.data)) for new, old in zip(newest, before, strict=False)]
    texts += [_STANDARD] * (len(newest) - len(texts))  # the first of all has nothing before it
    return [
        TimelineEntry(
            title=f"Version {version.version}",
            when=local_time(version.created_at, tenant.timezone),
            instant=version.created_at.isoformat(),
            text=text,
            actor=version.created_by,
            icon="adjustments-horizontal",
        )
        for version, text in list(zip(newest, texts, strict=True))[:VERSIONS_SHOWN]
    ]


def _changes(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What differs, as "thresholds › health › critical: 40 → 45"."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _changes(before.get(key), after.get(key), f"{path} › {key}" if path else key)
    elif before != after:
        words = path.replace("_", " ")
        is_long = isinstance(after, list) and any(isinstance(one, dict) for one in after)
        yield f"{words} changed" if is_long else f"{words}: {_brief(before)} → {_brief(after)}"


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nobody"
    return "–" if value is None else _plain(value)
