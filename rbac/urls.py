"""Mounted at ``/w/<tenant>/settings/people/``."""

from __future__ import annotations

from django.urls import path

from rbac import views

app_name = "people"
urlpatterns = [
    path("", views.people, name="people"),
    path("add/", views.add, name="add"),
    path("<uuid:member_id>/", views.person, name="person"),
    path("<uuid:member_id>/role/", views.role_change, name="role"),
    path("<uuid:member_id>/manager/", views.manager_set, name="manager"),
    path("<uuid:member_id>/deactivate/", views.deactivate, name="deactivate"),
    path("<uuid:member_id>/reactivate/", views.reactivate, name="reactivate"),
]
