"""Mounted at ``/w/<tenant>/settings/``."""

from __future__ import annotations

from django.urls import path

from tenants import views_settings as views

app_name = "settings"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("timezone/", views.save_timezone, name="timezone"),
    path("save/<slug:section>/", views.save, name="save"),
]
