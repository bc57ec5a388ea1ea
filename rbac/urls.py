"""Mounted at ``/w/<tenant>/settings/people/``."""

from __future__ import annotations

from django.urls import path

from rbac import views, views_roles, views_standing

app_name = "people"
urlpatterns = [
    path("", views.people, name="people"),
    path("add/", views.add, name="add"),
    path("roles/", views_roles.roles, name="roles"),
    path("roles/matrix/", views_roles.matrix, name="matrix"),
    path("roles/matrix/export.csv", views_roles.matrix_export, name="matrix_export"),
    path("roles/new/", views_roles.role_new, name="role_new"),
    path("roles/<slug:role>/", views_roles.role_page, name="role_page"),
    path("roles/<slug:role>/edit/", views_roles.role_edit, name="role_edit"),
    path("roles/<slug:role>/archive/", views_roles.role_archive, name="role_archive"),
    path("<uuid:member_id>/", views.person, name="person"),
    path("<uuid:member_id>/roles/", views_standing.standing, name="standing"),
    path("<uuid:member_id>/roles/grant/", views_standing.grant, name="grant"),
    path("<uuid:member_id>/roles/<uuid:grant_id>/end/", views_standing.grant_end, name="grant_end"),
    path("<uuid:member_id>/role/", views.role_change, name="role"),
    path("<uuid:member_id>/manager/", views.manager_set, name="manager"),
    path("<uuid:member_id>/deactivate/", views.deactivate, name="deactivate"),
    path("<uuid:member_id>/reactivate/", views.reactivate, name="reactivate"),
]
