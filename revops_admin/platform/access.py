"""The door to the operators' pages: signed in and one of the vendor's staff."""

from __future__ import annotations

import functools
from collections.abc import Callable
from http import HTTPStatus
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User
from isolation.actors import Actor
from isolation.errors import DomainError

P = ParamSpec("P")


class OperatorsOnly(DomainError):
    code = "platform.operators_only"
    status = HTTPStatus.FORBIDDEN
    sentence = "These pages are for the vendor's staff. Your workspaces are on the start page."


class OperatorRequest(HttpRequest):
    """A request that came in through ``operator_view``."""

    operator: Actor


def operator_of(request: HttpRequest) -> Actor:
    """The signed-in operator as acting user. Raises: OperatorsOnly."""
    user = request.user
    if not (isinstance(user, User) and user.is_active and user.is_operator):
        raise OperatorsOnly
    return user.as_operator()


def operator_view(
    view: Callable[Concatenate[OperatorRequest, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Make ``view`` a page of the operators. It opens its own contexts, each with the reason for it."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        inside = cast(OperatorRequest, request)
        inside.operator = operator_of(request)
        return view(inside, *args, **kwargs)

    guarded.operators_only = True  # type: ignore[attr-defined]  # the permission table's tests read it
    return guarded
