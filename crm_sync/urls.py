"""Addresses below ``/w/<tenant>/settings/crm/``; those of one connection begin with the name of its CRM."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from crm_sync.views import (
    checked,
    connections,
    contract,
    mapping,
    mapping_history,
    oauth,
    rejected,
    replay,
    runs,
    settings,
)

app_name = "crm_sync"

_connection: list[URLPattern | URLResolver] = [
    path("", connections.detail, name="detail"),
    path("connection/", settings.connection_edit, name="connection"),
    path("connection/test/", settings.connection_try, name="connection_test"),
    path("connection/remove/", settings.connection_remove, name="connection_remove"),
    path("connect/", oauth.oauth_begin, name="oauth_begin"),
    path("disconnect/", oauth.disconnect, name="disconnect"),
    path("schedule/", settings.schedule_edit, name="schedule"),
    path("schedule/pause/", settings.schedule_pause, name="schedule_pause"),
    path("sync/", runs.sync_now, name="sync"),
    path("runs/", runs.runs, name="runs"),
    path("runs/export/", runs.runs_export, name="runs_export"),
    path("runs/<uuid:run_id>/", runs.run_detail, name="run"),
    path("runs/<uuid:run_id>/progress/", runs.run_progress, name="progress"),
    path("rejected/", rejected.rejected, name="rejected"),
    path("rejected/export/", rejected.rejected_export, name="rejected_export"),
    path("rejected/replay/", replay.rejected_try_again, name="rejected_replay"),
    path("mapping/", mapping.mapping, name="mapping"),
    path("mapping/export/", mapping.mapping_export, name="mapping_export"),
    path("mapping/import/", mapping.mapping_import, name="mapping_import"),
    path("mapping/history/", mapping_history.mapping_history, name="mapping_history"),
    path("mapping/restore/<int:version>/", mapping.mapping_version_restore, name="mapping_restore"),
    path("contract/", contract.contract, name="contract"),
    path("contract/check/", contract.contract_check_now, name="contract_check"),
    path("contract/export/", contract.contract_export, name="contract_export"),
    path("checked/", checked.checked, name="checked"),
    path("checked/export/", checked.checked_export, name="checked_export"),
]

urlpatterns = [
    path("", connections.index, name="index"),
    path("add/", settings.connection_begin, name="add"),
    path("<slug:source>/", include(_connection)),
]
