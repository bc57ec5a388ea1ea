"""The versions of a field mapping: when, who, what changed, and back to one of them."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crm_sync.connectors import OBJECTS_READ
from crm_sync.doors import usable_connection_here
from crm_sync.mapping.document import changes_between, complete
from crm_sync.mapping.services import told
from crm_sync.mapping.versions import versions_of
from crm_sync.models import Connection, FieldMap
from crm_sync.permissions import EDIT, VIEW
from crm_sync.shown import crumbs, url
from crm_sync.shown.mapping import VersionRow
from pages.asking import Asked
from pages.keyset import rows_of
from pages.objects import Action, Badge, Column, Crumb, EmptyState, ListPage, Table
from pages.templatetags.formats import local_time
from rbac.requests import WorkspaceRequest, workspace_view

PAGE_SIZE = 20
_SHOWN = 8
Whole = Mapping[str, Mapping[str, str]]


@require_safe
@workspace_view(VIEW)
def mapping_history(request: WorkspaceRequest, source: str) -> HttpResponse:
    """All versions, the one in force first."""
    tenant, connection, asked = (
        request.workspace.tenant,
        usable_connection_here(request, source),
        Asked.of(request),
    )
    found = rows_of(versions_of(connection), order=("-version",), cursor=asked.cursor, size=PAGE_SIZE)
    table = Table(
        caption="Versions of the field mapping, newest first",
        columns=[Column("Version"), Column("What changed"), Column("Saved by"), Column(f"When ({tenant.timezone})"),
                 Column("Restore", is_label_hidden=True)],
        rows=_rows(request, connection, list(found.rows)),
        row_template="crm_sync/_version_row.html",
        count_label="The version in force first",
        next_url=asked.pager(found.next),
        previous_url=asked.pager(found.previous),
        empty=EmptyState("No version yet", "The first sync notes how it found the fields; each save adds one.", icon="history"),
    )  # fmt: skip
    page = ListPage(
        title="History of the field mapping",
        lead="Nothing is lost: restoring a version makes a new one of it.",
        crumbs=[*crumbs(tenant, source), Crumb("Field mapping", url("mapping", tenant, source=source))],
        table=table,
    )
    return render(request, "crm_sync/list.html", {"page": page})


def _rows(request: WorkspaceRequest, connection: Connection, versions: list[FieldMap]) -> list[VersionRow]:
    newest = versions_of(connection).values_list("version", flat=True).first()
    least = min((one.version for one in versions), default=0)
    before = versions_of(connection).filter(version__lt=least).first()
    documents = {one.version: _whole(connection, one) for one in [*versions, *([before] if before else [])]}
    return [_row(request, connection, one, documents, is_newest=one.version == newest) for one in versions]


def _whole(connection: Connection, version: FieldMap) -> Whole:
    return complete(OBJECTS_READ[connection.source], version.document)


def _row(
    request: WorkspaceRequest, connection: Connection, version: FieldMap, documents: Mapping[int, Whole], *, is_newest: bool
) -> VersionRow:  # fmt: skip
    tenant = request.workspace.tenant
    earlier = documents.get(version.version - 1, complete(OBJECTS_READ[connection.source], {}))
    changes = told(changes_between(earlier, documents[version.version]))
    where = url("mapping_restore", tenant, source=connection.source, version=version.version)
    question = (
        f"Put version {version.version} in force again? Changed objects are read anew by the next sync."
    )
    restore = Action("Restore", where, icon="history", method="post", confirm=question)
    return VersionRow(
        version=f"Version {version.version}",
        when=local_time(version.saved_at, tenant.timezone),
        by="the first sync" if version.version == 0 else version.saved_by,
        note=version.note,
        changes=changes[:_SHOWN]
        or (["The defaults"] if version.version == 0 else ["The fields were accepted as they are"]),
        more=f"and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else "",
        badge=Badge("In force", "good", "check") if is_newest else None,
        restore=restore if request.workspace.may(EDIT) and not is_newest else None,
    )
