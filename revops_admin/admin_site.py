"""Django admin for operators: our own sign-in, the platform context around every page, and nothing to edit by hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.templatetags.static import static
from django.urls import reverse_lazy
from unfold.settings import CONFIG_DEFAULTS
from unfold.sites import UnfoldAdminSite

from accounts.models import User
from isolation import context
from revops_admin.platform.access import operator_of

View = Callable[..., HttpResponseBase]
_REASON_LENGTH = 300

# The theme runs on Alpine, which evaluates expressions, and colours itself by an inline style. Still nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
# The accent of the operators' pages, from light to dark.
_TEAL = {
    "50": "#f0fdfa", "100": "#ccfbf1", "200": "#99f6e4", "300": "#5eead4", "400": "#2dd4bf", "500": "#14b8a6",
    "600": "#0f766e", "700": "#115e59", "800": "#134e4a", "900": "#123c39", "950": "#042f2e",
}  # fmt: skip
_THEME: dict[str, Any] = {
    "SITE_TITLE": "RevOps Hub administration",
    "SITE_HEADER": "RevOps Hub",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": reverse_lazy("platform:workspaces"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("img/favicon.svg")}],
    "SHOW_HISTORY": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {"base": CONFIG_DEFAULTS["COLORS"]["base"], "primary": _TEAL},
}
# Django would show the packages' names; these are what the pages call them.
_APP_NAMES = {
    "accounts": "Accounts", "alerts": "Alerts", "audit": "Audit", "crm_sync": "CRM sync", "isolation": "Jobs",
    "tenants": "Workspaces",
}  # fmt: skip
_MODEL_NAMES = {
    "Delivery": "Deliveries", "PlatformEntry": "Platform access", "PeriodicJob": "Regular jobs", "Tenant": "Workspaces",
}  # fmt: skip


class HubAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme is untyped
    """The one admin site. Its models are registered on it by name, so that no package adds pages of its own."""

    index_title = "Administration"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Active operators only."""
        user = request.user
        return isinstance(user, User) and user.is_active and user.is_operator

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Guard ``view``: sign-in by our own page, 403 for who is no operator, then the platform context."""
        guarded: View = super().admin_view(_in_platform_context(view), cacheable)

        @functools.wraps(view)
        def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            operator_of(request)
            return guarded(request, *args, **kwargs)

        return entered

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """The packages and their tables, called as on the pages."""
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        for app in apps:
            app["name"] = _APP_NAMES.get(app["app_label"], app["name"])
            for model in app["models"]:
                model["name"] = _MODEL_NAMES.get(model["object_name"], model["name"])
        return apps

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-in, and it is not here."""
        return redirect("account_login")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-out, which asks first."""
        return redirect("account_logout")

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A password is changed by the link that comes by mail."""
        return redirect("account_reset_password")

    def _get_config(self, key: str, *args: Any) -> Any:
        return _THEME[key] if key in _THEME else super()._get_config(key, *args)


def _in_platform_context(view: View) -> View:
    @functools.wraps(view)
    def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        reason = f"administration: {request.path}"[:_REASON_LENGTH]
        with context.platform(reason, operator_of(request)):
            response = view(request, *args, **kwargs)
            # Lists are read while the template renders, which Django leaves until the view has returned.
            if isinstance(response, SimpleTemplateResponse):
                response = response.render()
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return inside


site = HubAdminSite(name="admin")
