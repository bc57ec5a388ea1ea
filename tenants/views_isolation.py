"""The isolation report: what keeps this workspace's rows apart from all others, read from the database while one waits.

For holders of ``audit.view``: it is evidence, for whoever answers for the workspace's data. It is read in the reader's own
context, as that context's database role; the catalogue it reads is the same for every workspace and names none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.permissions import VIEW
from isolation.proof import Finding, Level, Report, TableFacts, examine
from isolation.requests import InWorkspace, workspace_view
from pages.objects import Action, Badge, Column, Crumb, Definition, EmptyState, Page, Stat, Table, Tone
from pages.sheets import csv_response
from pages.templatetags.formats import count, local_time

_HEADS = ("table", "holds", "row_security", "policies", "foreign_keys", "unique", "rights", "findings")
_HOLDS = Badge("Holds", "good", "shield-lock")
_OPEN = Badge("Does not hold", "danger", "alert-octagon")
_WHOLE = "Rows of this workspace"
_BY_OWNER = "Rows of this workspace and of owners one may see"


@dataclass(frozen=True)
class TableRow:
    """One table on the page."""

    label: str
    name: str
    badge: Badge
    seen: str
    keys: int
    details: list[Definition]


@dataclass(frozen=True)
class Sentence:
    """A finding, or something that is accepted, in words."""

    text: str
    tone: Tone
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationPage(Page):
    """The whole page."""

    holds: bool
    findings: list[Sentence]
    accepted: list[Sentence]
    stats: list[Stat]
    facts: list[Definition]
    table: Table[TableRow]


@workspace_view(VIEW)
@require_safe
def report(request: InWorkspace) -> HttpResponse:
    """The report as a page."""
    return render(request, "tenants/isolation.html", {"page": _page(request, _read())})


@workspace_view(VIEW)
@require_safe
def export_csv(request: InWorkspace) -> HttpResponseBase:
    """The report as a sheet: one line a table."""
    return csv_response(_file_name(request), _HEADS, list(_lines(_read())))


@workspace_view(VIEW)
@require_safe
def export_json(request: InWorkspace) -> HttpResponse:
    """Everything that was read, as JSON."""
    response = JsonResponse(_read().as_json(), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="{_file_name(request)}.json"'
    return response


def _file_name(request: InWorkspace) -> str:
    return f"{request.workspace.tenant.slug}-isolation-{timezone.now():%Y-%m-%d}"


def _read() -> Report:
    with connection.cursor() as cursor:
        return examine(cursor)


def _page(request: InWorkspace, found: Report) -> IsolationPage:
    tenant = request.workspace.tenant
    here = {"tenant": tenant.slug}
    return IsolationPage(
        title="Isolation report",
        lead=_lead(found),
        crumbs=[Crumb("Settings", reverse("settings:overview", kwargs=here))],
        actions=[
            Action("Export JSON", reverse("settings:isolation_json", kwargs=here), "download")
        ],
        holds=found.holds,
        findings=[Sentence(str(one), "danger" if one.level == "error" else "warning", "alert-triangle") for one in found.findings],
        accepted=[Sentence(f"{one.finding} Accepted: {one.reason}.", "info", "info-circle") for one in found.accepted],
        stats=_stats(found),
        facts=_facts(found, tenant.timezone),
        table=_table(found, reverse("settings:isolation_csv", kwargs=here)),
    )  # fmt: skip


def _lead(found: Report) -> str:
    if found.holds:
        return f"Everything holds: the database itself keeps all {len(found.walled)} tables with your data apart from every other workspace."
    errors = count(len(found.of_level(Level.ERROR)), "error")
    return f"Something does not hold: {errors} below. We have to mend this; tell your contact."


def _stats(found: Report) -> list[Stat]:
    protected = sum(not _of(found, table) for table in found.walled)
    keys = sum(len(table.keys) for table in found.walled)
    errors, warnings = found.of_level(Level.ERROR), len(found.of_level(Level.WARNING))
    return [
        Stat("Tables protected", f"{protected} of {len(found.walled)}", "row security enabled and forced", tone=_tone(found)),
        Stat("Policies", str(sum(len(table.policies) for table in found.walled)), "each read back from the database"),
        Stat("Keys that stay inside", str(keys), "no row can point at another workspace's"),
        Stat("Errors", str(len(errors)), f"{count(warnings, 'warning')}, {len(found.accepted)} known and accepted", tone=_tone(found)),
    ]  # fmt: skip


def _tone(found: Report) -> Tone:
    return "good" if found.holds else "danger"


def _facts(found: Report, zone: str) -> list[Definition]:
    return [
        Definition("Read at", local_time(found.read_at, zone)),
        Definition("Read as", f"database role {found.read_as}"),
        Definition("Server", found.server),
        Definition("Functions with their owner's rights", str(len(found.functions))),
        *(Definition(f"Role {role.name}", ", ".join(role.attributes) or "no rights of its own") for role in found.roles),
    ]  # fmt: skip


def _table(found: Report, export_url: str) -> Table[TableRow]:
    labels = {model._meta.db_table: str(model._meta.verbose_name).capitalize() for model in apps.get_models()}
    return Table(
        caption="Tables with your data, and what protects each",
        columns=[
            Column("Table"),
            Column("State"),
            Column("Who sees which rows"),
            Column("Keys", align="end"),
        ],
        rows=[_row(table, labels, found) for table in found.walled],
        row_template="tenants/_isolation_row.html",
        count_label=f"{len(found.walled)} tables",
        export_url=export_url,
        empty=EmptyState(
            "No tables were read", "The program declares none; tell your contact.", icon="database"
        ),
    )


def _row(table: TableFacts, labels: dict[str, str], found: Report) -> TableRow:
    by_owner = any(policy.using.count("revops_") > 2 for policy in table.policies)
    details = [
        Definition(f"{p.name} ({', '.join(p.roles)})", " ".join((p.using or p.check).split()))
        for p in table.policies
    ]
    details += [Definition("Unique", text) for text in table.unique]
    details += [Definition("Key", text) for text in table.keys]
    details += [
        Definition(f"Rights of {role}", ", ".join(rights)) for role, rights in sorted(table.grants.items())
    ]
    return TableRow(
        label=labels.get(table.name, table.name),
        name=table.name,
        badge=_OPEN if _of(found, table) else _HOLDS,
        seen=_BY_OWNER if by_owner else _WHOLE,
        keys=len(table.keys),
        details=details,
    )  # fmt: skip


def _of(found: Report, table: TableFacts) -> list[Finding]:
    return [one for one in found.findings if one.place == table.name and one.level == "error"]


def _lines(found: Report) -> Iterator[tuple[str, ...]]:
    for table in found.walled:
        findings = [str(one) for one in _of(found, table)]
        yield (
            table.name,
            "no" if findings else "yes",
            "enabled and forced" if table.is_enabled and table.is_forced else "not whole",
            "; ".join(f"{p.name}: {' '.join((p.using or p.check).split())}" for p in table.policies),
            "; ".join(table.keys),
            "; ".join(table.unique),
            "; ".join(f"{role}: {', '.join(rights)}" for role, rights in sorted(table.grants.items())),
            "; ".join(findings),
        )
