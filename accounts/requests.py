"""Who a request comes from, and the door to the pages of signing in: both reach accounts in their context."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from isolation import context
from isolation.requests import rendered


class PersonMiddleware(AuthenticationMiddleware):
    """``request.user``: session and account are looked up together, when somebody asks."""

    def process_request(self, request: HttpRequest) -> None:
        """Set ``request.user``, unasked."""
        super().process_request(request)
        request.user = cast(User, SimpleLazyObject(functools.partial(_person, request)))


def _person(request: HttpRequest) -> Any:
    if request.session.session_key is None:
        return get_user(request)  # nobody, without a statement
    with context.accounts():
        return get_user(request)


def in_accounts(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view, its rendering included, in the context of accounts: for those who are about to sign in or out."""

    @functools.wraps(view)
    def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with context.accounts():
            return rendered(view(request, *args, **kwargs))

    return inside
