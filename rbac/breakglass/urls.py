"""Mounted at ``/w/<tenant>/settings/break-glass/``."""

from __future__ import annotations

from django.urls import path

from rbac.breakglass import views

app_name = "break_glass"
urlpatterns = [
    path("", views.log, name="log"),
    path("export.csv", views.export, name="export"),
    path("<uuid:stay_id>/end/", views.end, name="end"),
]
