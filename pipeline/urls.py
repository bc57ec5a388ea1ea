"""Mounted at ``/w/<tenant>/``."""

from __future__ import annotations

from django.urls import path

from pipeline.views import access, account, datasets, deal, deals, home, shares, sharing

app_name = "pipeline"
urlpatterns = [
    path("", home.home, name="home"),
    path("deals/", deals.deals, name="deals"),
    path("deals/export/", deals.deals_export, name="deals_export"),
    path("deals/<str:external_id>/", deal.deal, name="deal"),
    path("deals/<str:external_id>/share/", sharing.deal_share, name="deal_share"),
    path("deals/<str:external_id>/access/", access.deal_access, name="deal_access"),
    path("deals/<str:external_id>/access/export/", access.deal_access_export, name="deal_access_export"),
    path("accounts/<str:external_id>/", account.account, name="account"),
    path("accounts/<str:external_id>/share/", sharing.account_share, name="account_share"),
    path("shares/", shares.shares, name="shares"),
    path("shares/export/", shares.shares_export, name="shares_export"),
    path("shares/<uuid:share_id>/end/", sharing.share_end_view, name="share_end"),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/rebuild/", datasets.dataset_rebuild_view, name="dataset_rebuild"),
]
