"""Addresses below ``/w/<tenant>/settings/crm/``."""

from __future__ import annotations

from django.urls import path

from crm_sync import views

app_name = "crm_sync"

urlpatterns = [
    path("", views.index, name="index"),
    path("connection/", views.connection_edit, name="connection"),
    path("connection/test/", views.connection_try, name="connection_test"),
    path("schedule/", views.schedule_edit, name="schedule"),
    path("sync/", views.sync_now, name="sync"),
    path("runs/<uuid:run_id>/", views.run_detail, name="run"),
    path("runs/<uuid:run_id>/progress/", views.run_progress, name="progress"),
    path("rejected/", views.rejected, name="rejected"),
    path("rejected/export/", views.rejected_export, name="rejected_export"),
]
