"""Mounted at ``/w/<tenant>/settings/``."""

from __future__ import annotations

from django.urls import path

from tenants import views_isolation
from tenants import views_settings as views

app_name = "settings"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("timezone/", views.save_timezone, name="timezone"),
    path("save/<slug:section>/", views.save, name="save"),
    path("isolation/", views_isolation.report, name="isolation"),
    path("isolation/csv/", views_isolation.export_csv, name="isolation_csv"),
    path("isolation/json/", views_isolation.export_json, name="isolation_json"),
]
