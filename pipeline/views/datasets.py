"""The datasets of the workspace and their builds; the button that rebuilds one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_POST

from pages.objects import STATE_BADGES, Badge, Column, EmptyState, Page, Table
from pages.templatetags.formats import local_time, number
from pipeline import permissions
from pipeline.datasets import all_datasets
from pipeline.models import BuildKind, DatasetBuild
from pipeline.selectors import latest_builds
from pipeline.services import dataset_rebuild
from rbac.requests import WorkspaceRequest, workspace_view

COLUMNS = (
    Column("Dataset"), Column("State"), Column("Asked for"), Column("Looked at"), Column("Deals", align="end"),
    Column("Written", align="end"), Column("Removed", align="end"), Column("Seconds", align="end"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuildLine:
    """One build, ready to show."""

    name: str
    state: Badge
    when: str
    instant: str
    by: str
    kind: str
    read: str
    written: str
    removed: str
    seconds: str
    error: str


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """One dataset with its place and what it is."""

    path: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetsPage(Page):
    """The datasets, and the newest builds of all of them."""

    datasets: Sequence[DatasetLine]
    table: Table[BuildLine]
    may_rebuild: bool


@workspace_view(permissions.VIEW)
@require_GET
def datasets(request: WorkspaceRequest) -> HttpResponse:
    """``/w/<tenant>/datasets/``."""
    tenant = request.workspace.tenant
    builds = latest_builds(tenant.id)
    page = DatasetsPage(
        title="Datasets",
        lead="Everything here is worked out from the mirrored CRM after each sync, and once a day as a whole.",
        datasets=[DatasetLine(one.path, one.sentence) for one in all_datasets().values()],
        table=Table(
            caption="Builds",
            columns=COLUMNS,
            rows=[_line(build, tenant.timezone) for build in builds],
            row_template="pipeline/_build_row.html",
            count_label=f"The newest {len(builds)} builds" if builds else "",
            empty=EmptyState("No builds yet", "The first sync builds every dataset.", icon="database"),
        ),
        may_rebuild=request.workspace.may(permissions.REBUILD),
    )
    return TemplateResponse(request, "pipeline/datasets.html", {"page": page})


def _line(build: DatasetBuild, zone: str) -> BuildLine:
    return BuildLine(
        name=build.dataset.rsplit("/", 1)[-1],
        state=STATE_BADGES[build.state],
        when=local_time(build.requested_at, zone),
        instant=build.requested_at.isoformat(),
        by=build.requested_by,
        kind=BuildKind(build.kind).label,
        read=number(build.rows_read),
        written=number(build.rows_written),
        removed=number(build.rows_removed),
        seconds=f"{build.seconds:.1f}",
        error=build.error,
    )


@workspace_view(permissions.REBUILD)
@require_POST
def dataset_rebuild_view(request: WorkspaceRequest) -> HttpResponse:
    """``/w/<tenant>/datasets/rebuild/``: queue a whole rebuild of ``dataset``. Raises: DatasetUnknown."""
    workspace = request.workspace
    build = dataset_rebuild(
        tenant=workspace.tenant, path=request.POST.get("dataset", ""), acting_user=workspace.actor
    )
    messages.success(request, f"{build.dataset} is being rebuilt. Reload this page to see how far it is.")
    return redirect("pipeline:datasets", tenant=workspace.tenant.slug)
