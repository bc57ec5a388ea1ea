"""Every address of the program."""

from __future__ import annotations

from allauth.account import views as account
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from rbac.api import MeView
from tenants.views import home

import importlib.util

def present(where, module, name=None):
    return [path(where, include(module))] if importlib.util.find_spec(module.split('.')[0]) and importlib.util.find_spec(module) else []

# Only what people use of allauth: signing up alone is closed, and says so.
_account = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("signup/", account.signup, name="account_signup"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("", include("accounts.urls")),
]
_workspace = [
    *present("", "pipeline.urls"),
    *present("alerts/", "alerts.urls"),
    *present("queue/", "operations.urls"),
    *present("settings/crm/", "crm_sync.urls"),
    *present("settings/people/", "rbac.urls"),
    *present("settings/", "tenants.urls"),
    *present("audit/", "audit.urls"),
]
_api = [
    path("me/", MeView.as_view(), name="api_me"),
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api_schema"), name="api_docs"),
]

def _late():
    try:
        from revops_admin import health, metrics
    except ImportError:
        return []
    return [
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
    ]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("accounts/", include(_account)),
    path("w/<slug:tenant>/", include(_workspace)),
    *(present("platform/", "revops_admin.platform.urls") if importlib.util.find_spec("revops_admin.platform") else []),
    path("admin/", admin.site.urls),
    path("api/v1/", include(_api)),
    *_late(),
]
