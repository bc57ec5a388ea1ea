"""From an address and a session into the wall: the only door to ``/w/<tenant>/`` pages.

The room that knows members and roles registers the resolver; rooms below it only need the door.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Concatenate, ParamSpec, Protocol, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse

from isolation import context
from isolation.actors import Actor, require

P = ParamSpec("P")


class TenantFacts(Protocol):
    """What a page needs to know of the workspace itself."""

    id: int
    slug: str
    name: str
    timezone: str
    currency: str


class WorkspaceFacts(Protocol):
    """What a page knows before it starts."""

    @property
    def tenant(self) -> TenantFacts: ...

    @property
    def actor(self) -> Actor: ...

    def may(self, code: str) -> bool: ...


class InWorkspace(HttpRequest):
    """A request that came in through ``workspace_view``."""

    workspace: WorkspaceFacts


Resolver = Callable[[HttpRequest, str], WorkspaceFacts]
Landing = Callable[[WorkspaceFacts], str]
_resolvers: list[Resolver] = []
_landings: list[Landing] = []


def register_resolver(resolver: Resolver) -> None:
    """``resolver(request, slug)`` gives the signed-in person's place in the workspace or raises NotFound."""
    _resolvers[:] = [resolver]


def workspace_of(request: HttpRequest, slug: str) -> Any:
    """The signed-in person's place in the workspace of that slug. Raises: NotFound."""
    return _resolvers[0](request, slug)


def register_landing(landing: Landing) -> None:
    """``landing(workspace)`` gives the address of the first page that this member may open, "" where there is none."""
    _landings[:] = [landing]


def workspace_view(
    permission: str, *, is_inside: bool = True, is_front: bool = False, is_wide: bool = False
) -> Callable[[Callable[Concatenate[Any, P], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Make ``view(request, …)`` a page of ``/w/<tenant>/``: signed in, member, holder of ``permission``, inside the wall.

    The page is rendered inside the context too; what streams later opens its own. ``is_inside=False`` is for a view that
    waits for somebody else's server: it starts outside every context and transaction, and opens its own where it needs one.
    ``is_front`` is for the page at the workspace's own address: members without its permission are led to a page of theirs.
    ``is_wide`` is for what the permission opens as a whole, whatever owners the member sees: the page runs as ``tenant_wide``.
    """

    def decorate(view: Callable[Concatenate[Any, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def guarded(request: HttpRequest, tenant: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            inside = cast(InWorkspace, request)
            inside.workspace = workspace_of(request, tenant)
            tenant_id = inside.workspace.tenant.id
            if is_front and (elsewhere := _led_elsewhere(inside, permission)):
                return redirect(elsewhere)
            require(inside.workspace.actor, permission, tenant_id)
            with _wall(inside.workspace.actor, tenant_id, is_wide) if is_inside else nullcontext():
                return rendered(view(inside, *args, **kwargs))

        guarded.required_permission = permission  # type: ignore[attr-defined]  # the permission table's tests read it
        return guarded

    return decorate


def _wall(actor: Actor, tenant_id: int, is_wide: bool) -> AbstractContextManager[context.Context]:
    return context.tenant_wide(tenant_id) if is_wide else context.of_actor(actor, tenant_id)


def _led_elsewhere(request: InWorkspace, permission: str) -> str:
    if request.method not in ("GET", "HEAD") or request.workspace.may(permission):
        return ""
    return next((landing(request.workspace) for landing in _landings), "")


def rendered(response: HttpResponseBase) -> HttpResponseBase:
    """The answer with its template filled in now, while the context is open that its rows are read in."""
    if isinstance(response, SimpleTemplateResponse):
        return cast(HttpResponse, response.render())
    return response
