"""Mounted at ``/w/<tenant>/settings/people/``, beside the pages of ``rbac``: what of people needs the deals."""

from __future__ import annotations

from django.urls import path

from pipeline.views import changes, owner, owners, tree

app_name = "access"
urlpatterns = [
    path("tree/", tree.tree, name="tree"),
    path("tree/<uuid:member_id>/", tree.below, name="below"),
    path("<uuid:member_id>/preview/<slug:kind>/", changes.change, name="change"),
    path("owners/", owners.owners, name="owners"),
    path("owners/export.csv", owners.owners_export, name="owners_export"),
    path("owners/<slug:source>/<str:external_id>/", owner.owner, name="owner"),
    path("owners/<slug:source>/<str:external_id>/preview/", owner.preview, name="owner_preview"),
    path("owners/<slug:source>/<str:external_id>/assign/", owner.assign, name="owner_assign"),
    path("owners/<slug:source>/<str:external_id>/follow/", owner.follow, name="owner_follow"),
]
