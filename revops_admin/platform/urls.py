"""Mounted at ``/platform/``."""

from __future__ import annotations

from django.urls import path

from revops_admin.platform import (
    views_audit,
    views_break_glass,
    views_health,
    views_members,
    views_provision,
    views_workspaces,
)

app_name = "platform"
urlpatterns = [
    path("", views_workspaces.workspaces, name="workspaces"),
    path("new/", views_provision.provision_workspace, name="provision"),
    path("health/", views_health.health, name="health"),
    path("audit/", views_audit.events, name="audit"),
    path("audit/access/", views_audit.entries, name="audit_entries"),
    path("workspaces/<slug:slug>/", views_workspaces.workspace, name="workspace"),
    path("workspaces/<slug:slug>/enter/", views_break_glass.enter, name="break_glass_enter"),
    path("workspaces/<slug:slug>/enter/<uuid:stay_id>/end/", views_break_glass.end, name="break_glass_end"),
    path("workspaces/<slug:slug>/members/", views_workspaces.member_add, name="member_add"),
    path("workspaces/<slug:slug>/members/<uuid:member_id>/", views_members.member, name="member"),
    path(
        "workspaces/<slug:slug>/members/<uuid:member_id>/role/", views_members.member_role, name="member_role"
    ),
    path("workspaces/<slug:slug>/members/<uuid:member_id>/end/", views_members.member_end, name="member_end"),
    path(
        "workspaces/<slug:slug>/members/<uuid:member_id>/again/",
        views_members.member_again,
        name="member_again",
    ),
    path(
        "workspaces/<slug:slug>/members/<uuid:member_id>/key/", views_workspaces.key_issue, name="key_issue"
    ),
    path("workspaces/<slug:slug>/keys/<uuid:key_id>/revoke/", views_workspaces.key_revoke, name="key_revoke"),
]
