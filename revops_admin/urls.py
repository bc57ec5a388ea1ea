"""Every address of the program."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

import alerts.api
import crm_sync.api
import pipeline.api
import pipeline.api_access
import pipeline.api_tree
import rbac.api_roles
import rbac.review.api
from accounts.requests import in_accounts
from crm_sync import webhooks
from crm_sync.views.oauth import oauth_callback
from rbac.api import MeView
from revops_admin import health, metrics
from revops_admin.admin_site import site
from revops_admin.api import UnknownAddress
from tenants.views import home

Routes = list[URLPattern | URLResolver]

# Only what people use of allauth: signing up alone is closed, and says so.
_account: Routes = [
    path("login/", in_accounts(account.login), name="account_login"),
    path("logout/", in_accounts(account.logout), name="account_logout"),
    path("signup/", in_accounts(account.signup), name="account_signup"),
    path("inactive/", in_accounts(account.account_inactive), name="account_inactive"),
    path("password/reset/", in_accounts(account.password_reset), name="account_reset_password"),
    path(
        "password/reset/done/", in_accounts(account.password_reset_done), name="account_reset_password_done"
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        in_accounts(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        in_accounts(account.password_reset_from_key_done),
        name="account_reset_password_from_key_done",
    ),
    path("", include("accounts.urls")),
]
_workspace: Routes = [
    path("", include("pipeline.urls")),
    path("alerts/", include("alerts.urls")),
    path("queue/", include("operations.urls")),
    path("settings/crm/", include("crm_sync.urls")),
    path("settings/people/", include("pipeline.urls_access")),
    path("settings/people/", include("rbac.urls")),
    path("settings/break-glass/", include("rbac.breakglass.urls")),
    path("settings/access-review/", include("rbac.review.urls")),
    path("settings/", include("tenants.urls")),
    path("audit/", include("audit.urls")),
]
_workspace_api: Routes = [
    *pipeline.api.urlpatterns,
    *pipeline.api_tree.urlpatterns,
    *crm_sync.api.urlpatterns,
    *alerts.api.urlpatterns,
    *rbac.api_roles.urlpatterns,
    *rbac.review.api.urlpatterns,
    *pipeline.api_access.urlpatterns,
]
_api: Routes = [
    path("me/", MeView.as_view(), name="api_me"),
    path(
        "w/<slug:tenant>/",
        include(_workspace_api),
    ),
    path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api_schema", template_name="api/docs.html"),
        name="api_docs",
    ),
    path("<path:address>", UnknownAddress.as_view(), name="api_unknown"),
]

urlpatterns: Routes = [
    path("", home, name="home"),
    path("accounts/", include(_account)),
    path("crm/callback/", oauth_callback, name="crm_callback"),
    path("w/<slug:tenant>/", include(_workspace)),
    path("platform/", include("revops_admin.platform.urls")),
    path("admin/", site.urls),
    path("api/v1/", include(_api)),
    path("hooks/hubspot/<slug:slug>/", webhooks.hubspot, name="hubspot_hook"),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
]
