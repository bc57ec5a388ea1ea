"""Django and allauth announce sign-ins by signal; each goes on record through a service."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.services import sign_in_failure_record, sign_in_record

METHOD_KEY = "sign_in_method"
BY_KEY = "access key"


def is_key_session(request: HttpRequest) -> bool:
    """Whether an access key opened this session."""
    return bool(request.session.get(METHOD_KEY) == BY_KEY)


def ip_address(request: HttpRequest | None) -> str:
    """The client's address, past our own proxies; '' where nothing came over the network."""
    if request is None or "REMOTE_ADDR" not in request.META:
        return ""
    return str(get_adapter(request).get_client_ip(request))


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
