"""Trying rows again that were kept aside."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from crm_sync.doors import usable_connection_here
from crm_sync.permissions import SYNC
from crm_sync.replay import rejected_replay
from crm_sync.shown import url
from pages.asking import Asked
from pages.objects import Action
from pages.templatetags.formats import count
from rbac.requests import WorkspaceRequest, workspace_view


def replay_actions(request: WorkspaceRequest, source: str, asked: Asked, *, has_rows: bool) -> list[Action]:
    """The button of the list of rows kept aside: it tries those of the object that the list is narrowed to, or all."""
    if not (has_rows and request.workspace.may(SYNC)):
        return []
    where, name = (
        url("rejected_replay", request.workspace.tenant, source=source),
        asked.query.get("object", ""),
    )
    label = f"Try {name} again" if name else "Try all again"
    return [
        Action(
            label, f"{where}?{urlencode({'object': name})}" if name else where, icon="refresh", method="post"
        )
    ]


@require_POST
@workspace_view(SYNC)
def rejected_try_again(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Have the rows that were kept aside read again: those of the ``object`` in the address, or all."""
    workspace, connection = request.workspace, usable_connection_here(request, source)
    name = request.GET.get("object", "")
    replay = rejected_replay(connection=connection, object_name=name, acting_user=workspace.actor)
    unaskable = (
        f" Without a usable id: {count(replay.nameless, 'row')}; mend them in the CRM."
        if replay.nameless
        else ""
    )
    rows = count(replay.rows, "row")
    if not replay.rows:
        messages.info(request, f"There is no row to try again.{unaskable}")
    elif replay.run is None:
        messages.info(
            request, f"A run is under way: it will read {rows} again, or the next one will.{unaskable}"
        )
    else:
        messages.success(request, f"Reading {rows} again; this page counts what became of them.{unaskable}")
        return redirect(url("run", workspace.tenant, source=source, run_id=replay.run.id))
    return redirect(url("rejected", workspace.tenant, source=source))
