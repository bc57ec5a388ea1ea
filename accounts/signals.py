"""Django and allauth announce sign-ins by signal; each goes on record through a service."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.services import sign_in_failure_record, sign_in_record

METHOD_KEY = "sign_in_method"


def ip_address(request: HttpRequest | None) -> str:
    """The peer's address, '' where there is no request."""
    return str(request.META.get("REMOTE_ADDR", "")) if request else ""


@receiver(user_logged_in)
def _signed_in(sender: type[User], request: HttpRequest, user: User, **_: Any) -> None:
    method = request.session.get(METHOD_KEY, "password") if hasattr(request, "session") else "password"
    sign_in_record(user=user, method=method, ip_address=ip_address(request))


@receiver(user_login_failed)
def _sign_in_failed(
    sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    claimed = str(credentials.get("email") or credentials.get("username") or "")
    sign_in_failure_record(
        claimed=claimed, method="password", reason="wrong password", ip_address=ip_address(request)
    )
