"""Every route and API method, for everybody who might knock: signed out, a stranger, too few rights, allowed.

The routes come from the URL resolver; a route without a line in ``ROUTES`` fails, and so does a line without a route.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from django.conf import settings
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import User
from accounts.services import user_create
from isolation import context
from rbac.roles import ROLE_PERMISSIONS
from tenants.models import Member, RoleCode
from tenants.services import member_add
from tests import cast
from tests.conftest import WorkerDatabase

pytestmark = pytest.mark.django_db

NOBODY = UUID(int=0)
SAMPLES = {
    "section": "health",
    "address": "nowhere",
    "tenant": cast.ACME,
    "slug": cast.ACME,
    "external_id": "006NOTHERE",
    "uidb36": "0",
    "key": "none",
    "path": "x",
    "source": "salesforce",
    "version": "1",
    "role": "customer_admin",
    "kind": "manager",
}
# One member of Acme for every role that has one there; for the others somebody joins.
OF_ROLE = {
    RoleCode.CUSTOMER_ADMIN: "admin",
    RoleCode.REVOPS_ANALYST: "analyst",
    RoleCode.SALES_MANAGER: "manager",
    RoleCode.SALES_REP: "rep",
}
ROLES = [role for role in RoleCode if role is not RoleCode.DESIGN_PARTNER]


@dataclass(frozen=True)
class Workspace:
    """A page or endpoint of a workspace: the right each method needs, and what a holder gets for an empty request.

    ``also`` is a second right that every method needs; ``get_without`` is what a GET gets without the rights.
    """

    read: str = ""
    write: str = ""
    also: str = ""
    get: int = 200
    post: int = 405
    get_without: int = 403


@dataclass(frozen=True)
class Platform:
    """A page for operators."""

    get: int = 200
    post: int = 405


@dataclass(frozen=True)
class Open:
    """Reachable signed out; what an anonymous GET and POST get."""

    get: int = 200
    post: int = 405


@dataclass(frozen=True)
class SignedIn:
    """For anybody who is signed in; what a rep gets."""

    get: int = 200
    anonymous: int = 302


Line = Workspace | Platform | Open | SignedIn

ROUTES: dict[str, Line] = {
    # Signing in
    "home": SignedIn(get=302),
    "account_login": Open(post=200),
    "account_logout": Open(get=302, post=302),
    "account_signup": Open(post=200),
    "account_inactive": Open(),
    "account_reset_password": Open(post=200),
    "account_reset_password_done": Open(),
    "account_reset_password_from_key": Open(post=200),
    "account_reset_password_from_key_done": Open(),
    "access_key_sign_in": Open(post=400),
    # Pipeline
    "pipeline:home": Workspace(read="pipeline.view", get_without=302),
    "pipeline:deals": Workspace(read="pipeline.view"),
    "pipeline:deals_export": Workspace(read="exports.run"),
    "pipeline:deal": Workspace(read="pipeline.view", get=404),
    "pipeline:deal_share": Workspace(read="shares.edit", get=405, post=404),
    "pipeline:deal_access": Workspace(read="access.explain", get=404),
    "pipeline:deal_access_export": Workspace(read="access.explain", get=404),
    "pipeline:account": Workspace(read="pipeline.view", get=404),
    "pipeline:account_share": Workspace(read="shares.edit", get=405, post=404),
    "pipeline:shares": Workspace(read="pipeline.view"),
    "pipeline:shares_export": Workspace(read="exports.run"),
    "pipeline:share_end": Workspace(read="shares.edit", get=405, post=404),
    "pipeline:datasets": Workspace(read="pipeline.view"),
    "pipeline:dataset_rebuild": Workspace(read="pipeline.rebuild", get=405, post=404),
    # Alerts
    "alerts:index": Workspace(read="alerts.view"),
    "alerts:notices": Workspace(read="alerts.view", post=400),
    "alerts:rules": Workspace(read="alerts.view"),
    "alerts:rule": Workspace(read="alerts.edit", get=404, post=404),
    "alerts:channel_switch": Workspace(read="alerts.edit", get=405, post=400),
    "alerts:unblock": Workspace(read="alerts.edit", get=405, post=404),
    "alerts:resend": Workspace(read="alerts.edit", get=405, post=404),
    "alerts:detail": Workspace(read="alerts.view", get=404),
    "alerts:acknowledge": Workspace(read="alerts.edit", get=405, post=404),
    # Queue
    "operations:queue": Workspace(read="ops.priority_queue.view"),
    "operations:export": Workspace(read="ops.priority_queue.view", also="exports.run"),
    "operations:item": Workspace(read="ops.priority_queue.view", get=404),
    "operations:review": Workspace(read="ops.priority_queue.review", get=405, post=404),
    "operations:close": Workspace(read="ops.priority_queue.review", get=405, post=404),
    # CRM sync
    "crm_sync:index": Workspace(read="crm.view"),
    "crm_sync:add": Workspace(read="crm.edit", get=405, post=400),
    "crm_sync:detail": Workspace(read="crm.view"),
    "crm_sync:connection": Workspace(read="crm.edit", post=400),
    "crm_sync:connection_test": Workspace(read="crm.edit", get=405, post=409),
    "crm_sync:connection_remove": Workspace(read="crm.edit", post=400),
    "crm_sync:schedule": Workspace(read="crm.edit", post=400),
    "crm_sync:schedule_pause": Workspace(read="crm.edit", get=405, post=400),
    "crm_sync:sync": Workspace(read="crm.sync", get=405, post=400),
    "crm_sync:runs": Workspace(read="crm.view"),
    "crm_sync:runs_export": Workspace(read="crm.view"),
    "crm_sync:checked": Workspace(read="crm.view"),
    "crm_sync:checked_export": Workspace(read="crm.view"),
    "crm_sync:run": Workspace(read="crm.view", get=404),
    "crm_sync:progress": Workspace(read="crm.view", get=404),
    "crm_sync:rejected": Workspace(read="crm.view"),
    "crm_sync:rejected_export": Workspace(read="crm.view"),
    "crm_sync:rejected_replay": Workspace(read="crm.sync", get=405, post=302),
    "crm_sync:mapping": Workspace(read="crm.view", write="crm.edit", post=400),
    "crm_sync:mapping_export": Workspace(read="crm.view"),
    "crm_sync:mapping_import": Workspace(read="crm.edit", post=400),
    "crm_sync:mapping_history": Workspace(read="crm.view"),
    "crm_sync:mapping_restore": Workspace(read="crm.edit", get=405, post=404),
    "crm_sync:contract": Workspace(read="crm.view"),
    "crm_sync:contract_check": Workspace(read="crm.sync", get=405, post=409),
    "crm_sync:contract_export": Workspace(read="crm.view"),
    "crm_sync:oauth_begin": Workspace(read="crm.edit", post=400),
    "crm_sync:disconnect": Workspace(read="crm.edit", get=405, post=409),
    "crm_callback": SignedIn(get=400),
    # People and settings
    "people:people": Workspace(read="people.view"),
    "people:add": Workspace(read="people.edit", post=400),
    "people:person": Workspace(read="people.view", get=404),
    "people:role": Workspace(read="people.edit", get=405, post=404),
    "people:manager": Workspace(read="people.edit", get=405, post=404),
    "people:deactivate": Workspace(read="people.deactivate", get=405, post=404),
    "people:reactivate": Workspace(read="people.edit", get=405, post=404),
    "people:standing": Workspace(read="people.view", get=404),
    "people:grant": Workspace(read="people.edit", get=405, post=404),
    "people:grant_end": Workspace(read="people.edit", get=405, post=404),
    "people:roles": Workspace(read="people.view"),
    "people:matrix": Workspace(read="people.view"),
    "people:matrix_export": Workspace(read="people.view"),
    "people:role_page": Workspace(read="people.view"),
    "people:role_new": Workspace(read="roles.edit", post=400),
    "people:role_edit": Workspace(read="roles.edit", get=404, post=404),
    "people:role_archive": Workspace(read="roles.edit", get=405, post=404),
    "reviews:reviews": Workspace(read="access.review"),
    "reviews:start": Workspace(read="access.review", get=405, post=302),
    "reviews:review": Workspace(read="access.review", get=404),
    "reviews:keep": Workspace(read="access.review", get=405, post=404),
    "reviews:decide": Workspace(read="access.review", get=405, post=404),
    "reviews:export_csv": Workspace(read="access.review", get=404),
    "reviews:export_json": Workspace(read="access.review", get=404),
    "access:tree": Workspace(read="people.view"),
    "access:below": Workspace(read="people.view", get=404),
    "access:change": Workspace(read="people.edit", get=404, post=404),
    "access:owners": Workspace(read="people.view"),
    "access:owners_export": Workspace(read="people.view", also="exports.run"),
    "access:owner": Workspace(read="people.view", get=404),
    "access:owner_preview": Workspace(read="people.edit", get=404, post=404),
    "access:owner_assign": Workspace(read="people.edit", get=405, post=404),
    "access:owner_follow": Workspace(read="people.edit", get=405, post=404),
    "settings:overview": Workspace(read="tenant.view"),
    "settings:timezone": Workspace(read="tenant.edit", get=405, post=400),
    "settings:save": Workspace(read="tenant.edit", get=405, post=400),
    "settings:isolation": Workspace(read="audit.view"),
    "settings:isolation_csv": Workspace(read="audit.view"),
    "settings:isolation_json": Workspace(read="audit.view"),
    # The vendor's staff inside
    "break_glass:log": Workspace(read="audit.view"),
    "break_glass:export": Workspace(read="audit.view"),
    "break_glass:end": Workspace(read="people.edit", get=405, post=404),
    # Audit
    "audit:events": Workspace(read="audit.view"),
    "audit:export": Workspace(read="audit.view"),
    # Operators
    "platform:workspaces": Platform(),
    "platform:provision": Platform(post=400),
    "platform:health": Platform(),
    "platform:audit": Platform(),
    "platform:audit_entries": Platform(),
    "platform:workspace": Platform(),
    "platform:break_glass_enter": Platform(get=405, post=400),
    "platform:break_glass_end": Platform(get=405, post=404),
    "platform:member_add": Platform(get=405, post=400),
    "platform:member": Platform(get=404),
    "platform:member_role": Platform(get=405, post=404),
    "platform:member_end": Platform(get=405, post=404),
    "platform:member_again": Platform(get=405, post=404),
    "platform:key_issue": Platform(get=405, post=404),
    "platform:key_revoke": Platform(get=405, post=404),
    # Machines
    "hubspot_hook": Open(get=405, post=401),
    "health_live": Open(),
    "health_ready": Open(get=503),
    "metrics": Open(),
    # API
    "api_unknown": Open(get=404, post=404),
    "api_me": SignedIn(anonymous=401),
    "api_schema": Open(),
    "api_docs": Open(),
    "api_deals": Workspace(read="pipeline.view"),
    "api_deal": Workspace(read="pipeline.view", get=404),
    "api_alerts": Workspace(read="alerts.view"),
    "api_alert": Workspace(read="alerts.view", get=404),
    "api_alert_acknowledge": Workspace(write="alerts.edit", get=405, post=404),
    "api_roles": Workspace(read="people.view"),
    "api_grants": Workspace(read="people.view", write="people.edit", get=404, post=404),
    "api_grant_end": Workspace(read="people.edit", get=405, post=404),
    "api_reviews": Workspace(read="access.review", write="access.review", post=201),
    "api_review_items": Workspace(read="access.review", get=404),
    "api_review_decide": Workspace(read="access.review", get=405, post=404),
    "api_tree": Workspace(read="people.view"),
    "api_manager": Workspace(read="people.edit", get=405, post=405),
    "api_owners": Workspace(read="people.view"),
    "api_owner": Workspace(read="people.view", write="people.edit", get=404, post=405),
    "api_deal_access": Workspace(read="access.explain", get=404),
    "api_shares": Workspace(read="pipeline.view", write="shares.edit", post=400),
    "api_share_end": Workspace(read="shares.edit", get=405, post=404),
    "api_accounts": Workspace(read="pipeline.view"),
    "api_account": Workspace(read="pipeline.view", get=404),
    "api_sync_runs": Workspace(read="crm.view", write="crm.sync", post=400),
    "api_sync_run": Workspace(read="crm.view", get=404),
}


@dataclass(frozen=True)
class Route:
    """One address of the program, with sample values for its parameters."""

    name: str
    address: str
    is_api: bool

    def __str__(self) -> str:
        return self.name


def routes() -> list[Route]:
    """Every route but those of Django admin, which ``TestAdmin`` covers as a whole."""
    return [
        Route(name, address, "/api/" in address)
        for name, address in _walk(get_resolver().url_patterns, "/", "")
    ]


def _walk(patterns: list[URLPattern | URLResolver], prefix: str, space: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        address = prefix + _filled(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                inner = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from _walk(pattern.url_patterns, address, space + inner)
        else:
            yield f"{space}{pattern.name}", address


def _filled(pattern: str) -> str:
    """A pattern with sample values for its parameters."""
    pattern = pattern.removeprefix("^").removesuffix("$")
    pattern = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda match: SAMPLES[match[1]], pattern)
    return re.sub(r"<(?:(\w+):)?(\w+)>", _sample, pattern)


def _sample(match: re.Match[str]) -> str:
    return str(NOBODY) if match[1] == "uuid" else SAMPLES[match[2]]


ALL = routes()


def send(client: Client, method: str, route: Route) -> HttpResponseBase:
    if method == "get":
        return client.get(route.address)
    return (
        client.post(route.address, data={}, content_type="application/json")
        if route.is_api
        else client.post(route.address)
    )


@pytest.fixture(scope="module", autouse=True)
def sessions(shared_by_file: WorkerDatabase) -> dict[RoleCode, str]:
    """Of each role the session of a member of Acme who has signed in."""
    return {role: _session_of(_holder(role)) for role in ROLES}


def _holder(role: RoleCode) -> Member:
    if role in OF_ROLE:
        return cast.member_of(OF_ROLE[role])
    user = user_create(
        email=f"{role}@acme.test", name=f"A {role}", password=cast.PASSWORD, acting_user=cast.PLANTER
    )
    tenant = cast.tenant_of(cast.ACME)
    with context.tenant_wide(tenant.id):
        return member_add(tenant=tenant, user=user, role=role, acting_user=cast.PLANTER)


def _session_of(member: Member) -> str:
    client = Client()
    cast.sign_in(client, cast.user_of(member))
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


def test_no_route_is_left_out() -> None:
    assert {route.name for route in ALL} == ROUTES.keys()
    assert len(ALL) == len(ROUTES), "two routes of one name"


@pytest.mark.parametrize(
    "route", [route for route in ALL if isinstance(ROUTES.get(route.name), Workspace)], ids=str
)
class TestWorkspaceRoutes:
    def test_send_the_signed_out_to_sign_in(self, route: Route, admin: Member) -> None:
        line = ROUTES[route.name]
        assert isinstance(line, Workspace)
        for method, listed in (("get", line.get), ("post", line.post)):
            response = send(Client(), method, route)
            if route.is_api:
                assert response.status_code == 401
            elif response.status_code == 405:
                assert listed == 405
            else:
                assert response.status_code == 302
                assert response["Location"].startswith("/accounts/login/")

    def test_do_not_exist_for_a_stranger(
        self, route: Route, stranger: Member, client_of: Callable[[Member], Client]
    ) -> None:
        client = client_of(stranger)
        assert {send(client, method, route).status_code for method in ("get", "post")} <= {404, 405}

    @pytest.mark.parametrize("role", ROLES)
    def test_answer_by_right(
        self,
        route: Route,
        role: RoleCode,
        sessions: dict[RoleCode, str],
    ) -> None:
        line = ROUTES[route.name]
        assert isinstance(line, Workspace)
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = sessions[role]
        for method, needed, expected, refused in (
            ("get", line.read, line.get, line.get_without),
            ("post", line.write or line.read, line.post, 403),
        ):
            status = send(client, method, route).status_code
            may = {needed, line.also} - {""} <= ROLE_PERMISSIONS[role]
            assert status == (expected if may else 405 if expected == 405 and status == 405 else refused), (
                method,
                role,
            )


@pytest.mark.parametrize(
    "route", [route for route in ALL if isinstance(ROUTES.get(route.name), Platform)], ids=str
)
class TestPlatformRoutes:
    def test_send_the_signed_out_to_sign_in(self, route: Route, operator: User) -> None:
        for method in ("get", "post"):
            response = send(Client(), method, route)
            assert response.status_code == 302
            assert response["Location"].startswith("/accounts/login/")

    def test_refuse_every_member(
        self, route: Route, admin: Member, client_of: Callable[[Member], Client]
    ) -> None:
        for method in ("get", "post"):
            assert send(client_of(admin), method, route).status_code in (403, 405)

    def test_answer_operators(
        self, route: Route, operator: User, client_of: Callable[[User], Client]
    ) -> None:
        line = ROUTES[route.name]
        assert isinstance(line, Platform)
        client = client_of(operator)
        assert (send(client, "get", route).status_code, send(client, "post", route).status_code) == (
            line.get,
            line.post,
        )


@pytest.mark.parametrize(
    "route", [route for route in ALL if isinstance(ROUTES.get(route.name), Open | SignedIn)], ids=str
)
def test_other_routes_answer_as_listed(
    route: Route, rep: Member, client_of: Callable[[Member], Client]
) -> None:
    line = ROUTES[route.name]
    if isinstance(line, SignedIn):
        assert send(Client(), "get", route).status_code == line.anonymous
        assert send(client_of(rep), "get", route).status_code == line.get
        return
    assert isinstance(line, Open)
    assert send(Client(), "get", route).status_code == line.get
    assert send(Client(), "post", route).status_code == line.post


class TestAdmin:
    ADDRESSES = ("/admin/", "/admin/tenants/tenant/", "/admin/accounts/user/", "/admin/audit/platformentry/")

    def test_is_for_operators_alone(
        self, operator: User, admin: Member, client_of: Callable[[Member | User], Client]
    ) -> None:
        for address in self.ADDRESSES:
            assert Client().get(address).status_code == 302
            assert client_of(admin).get(address).status_code in (302, 403)
            assert client_of(operator).get(address).status_code == 200
