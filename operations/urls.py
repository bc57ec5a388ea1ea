"""Addresses below ``/w/<tenant>/queue/``."""

from __future__ import annotations

from django.urls import path

from operations import views

app_name = "operations"

urlpatterns = [
    path("", views.queue, name="queue"),
    path("export/", views.export, name="export"),
    path("<uuid:item_id>/", views.detail, name="item"),
    path("<uuid:item_id>/review/", views.review, name="review"),
    path("<uuid:item_id>/close/", views.close, name="close"),
]
