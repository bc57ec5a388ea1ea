"""Mounted at ``/w/<tenant>/settings/access-review/``."""

from __future__ import annotations

from django.urls import path

from rbac.review import views

app_name = "reviews"
urlpatterns = [
    path("", views.reviews, name="reviews"),
    path("start/", views.start, name="start"),
    path("<uuid:campaign_id>/", views.review, name="review"),
    path("<uuid:campaign_id>/keep/", views.keep, name="keep"),
    path("<uuid:campaign_id>/export.csv", views.export_csv, name="export_csv"),
    path("<uuid:campaign_id>/export.json", views.export_json, name="export_json"),
    path("<uuid:campaign_id>/items/<uuid:item_id>/", views.decide, name="decide"),
]
