"""Addresses below ``/w/<tenant>/alerts/``."""

from __future__ import annotations

from django.urls import path

from alerts import views

app_name = "alerts"

urlpatterns = [
    path("", views.index, name="index"),
    path("notices/", views.notices, name="notices"),
    path("rules/", views.rules, name="rules"),
    path("rules/<uuid:rule_id>/", views.rule_edit, name="rule"),
    path("channels/<uuid:channel_id>/switch/", views.channel_switch, name="channel_switch"),
    path("blocked/<uuid:blocked_id>/lift/", views.unblock, name="unblock"),
    path("deliveries/<uuid:delivery_id>/resend/", views.resend, name="resend"),
    path("<uuid:alert_id>/", views.detail, name="detail"),
    path("<uuid:alert_id>/acknowledge/", views.acknowledge, name="acknowledge"),
]
