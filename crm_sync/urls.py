"""Addresses below ``/w/<tenant>/settings/crm/``; those of one connection begin with the name of its CRM."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from crm_sync import (
    views,
    views_checked,
    views_contract,
    views_mapping,
    views_mapping_history,
    views_oauth,
    views_rejected,
    views_replay,
    views_runs,
    views_settings,
)

app_name = "crm_sync"

_connection: list[URLPattern | URLResolver] = [
    path("", views.detail, name="detail"),
    path("connection/", views_settings.connection_edit, name="connection"),
    path("connection/test/", views_settings.connection_try, name="connection_test"),
    path("connection/remove/", views_settings.connection_remove, name="connection_remove"),
    path("connect/", views_oauth.oauth_begin, name="oauth_begin"),
    path("disconnect/", views_oauth.disconnect, name="disconnect"),
    path("schedule/", views_settings.schedule_edit, name="schedule"),
    path("schedule/pause/", views_settings.schedule_pause, name="schedule_pause"),
    path("sync/", views_runs.sync_now, name="sync"),
    path("runs/", views_runs.runs, name="runs"),
    path("runs/export/", views_runs.runs_export, name="runs_export"),
    path("runs/<uuid:run_id>/", views_runs.run_detail, name="run"),
    path("runs/<uuid:run_id>/progress/", views_runs.run_progress, name="progress"),
    path("rejected/", views_rejected.rejected, name="rejected"),
    path("rejected/export/", views_rejected.rejected_export, name="rejected_export"),
    path("rejected/replay/", views_replay.rejected_try_again, name="rejected_replay"),
    path("mapping/", views_mapping.mapping, name="mapping"),
    path("mapping/export/", views_mapping.mapping_export, name="mapping_export"),
    path("mapping/import/", views_mapping.mapping_import, name="mapping_import"),
    path("mapping/history/", views_mapping_history.mapping_history, name="mapping_history"),
    path("mapping/restore/<int:version>/", views_mapping.mapping_version_restore, name="mapping_restore"),
    path("contract/", views_contract.contract, name="contract"),
    path("contract/check/", views_contract.contract_check_now, name="contract_check"),
    path("contract/export/", views_contract.contract_export, name="contract_export"),
    path("checked/", views_checked.checked, name="checked"),
    path("checked/export/", views_checked.checked_export, name="checked_export"),
]

urlpatterns = [
    path("", views.index, name="index"),
    path("add/", views_settings.connection_add, name="add"),
    path("<slug:source>/", include(_connection)),
]
