"""Mounted at ``/w/<tenant>/``."""

from __future__ import annotations

from django.urls import path

from pipeline.views import datasets, deal, deals, home

app_name = "pipeline"
urlpatterns = [
    path("", home.home, name="home"),
    path("deals/", deals.deals, name="deals"),
    path("deals/export/", deals.deals_export, name="deals_export"),
    path("deals/<str:external_id>/", deal.deal, name="deal"),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/rebuild/", datasets.dataset_rebuild_view, name="dataset_rebuild"),
]
