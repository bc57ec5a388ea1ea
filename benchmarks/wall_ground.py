"""What the wall is measured on: workspaces with owners and deals, and people with roles in reporting trees. After ``django.setup()``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from accounts.models import User
from isolation import context
from isolation.actors import Actor
from pipeline.services import datasets_refresh
from rbac.models import ReportingLine
from tenants.models import Member, RoleCode, Tenant
from tenants.provisioning import provision, request_checked

ACTOR = Actor.system("benchmarks.wall")
_FIRST_DEAL = "2026-01-01"

_OWNERS = """
    INSERT INTO crm_sync_owner (tenant_id, source, external_id, modified_at, custom, email, name, is_active, manager_external_id)
    SELECT t.id, 'salesforce', 'owner' || n, now(), '{}', 'owner' || n || '@bench.test', 'Owner ' || n, true, ''
    FROM tenants_tenant t CROSS JOIN generate_series(1, %(owners)s) AS n
"""
# A workspace's deals lie scattered over the whole table and its owners' over the workspace's, as after years of syncing.
_DEALS = f"""
    INSERT INTO crm_sync_opportunity (tenant_id, source, external_id, modified_at, custom, owner_external_id, owner_id, name,
        account_external_id, account_name, stage, amount_minor, currency, probability_percent, close_on, is_closed, is_won, kind,
        lead_source, next_step, forecast_category, created_at, stage_changed_at, last_activity_on)
    SELECT o.tenant_id, 'salesforce', 'deal' || n || '-' || o.external_id, now(), '{{}}', o.external_id, o.id,
        'Deal ' || n || ' of ' || o.external_id, 'account' || (o.id * 7 + n) %% 500, 'Account ' || (o.id * 7 + n) %% 500,
        (ARRAY['Qualification', 'Discovery', 'Demo/POC', 'Proposal', 'Negotiation'])[1 + (o.id + n) %% 5], (n * 7919 + o.id * 104729) %% 10000000, 'USD', 20,
        date '{_FIRST_DEAL}' + ((n * 37 + o.id * 11) %% 240)::int, n %% 5 < 2, n %% 5 = 0, 'New', 'Web', 'Call', 'Pipeline', now(), now(), current_date
    FROM generate_series(1, %(each)s) AS n CROSS JOIN crm_sync_owner o
    ORDER BY n, o.external_id, o.tenant_id
"""
# The closure of the lines, as reporting_line_set leaves it.
_PATHS = """
    INSERT INTO rbac_reportingpath (tenant_id, ancestor_id, descendant_id, depth)
    WITH RECURSIVE up (ancestor, descendant, depth) AS (
        SELECT id, id, 0 FROM tenants_member WHERE tenant_id = %(tenant)s
        UNION ALL
        SELECT l.manager_id, up.descendant, up.depth + 1 FROM up
        JOIN rbac_reportingline l ON l.tenant_id = %(tenant)s AND l.member_id = up.ancestor
    )
    SELECT %(tenant)s, ancestor, descendant, depth FROM up
"""


@contextmanager
def without_indexes(admin: psycopg.Connection[Any], table: str) -> Iterator[None]:
    """Fill a table without its indexes and make them afterwards, which is quicker; the keys stay."""
    found = admin.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i "
        "WHERE i.indrelid = %s::regclass AND NOT i.indisunique",
        [table],
    ).fetchall()
    for name, _ in found:
        admin.execute(f"DROP INDEX {name}")
    yield
    for _, definition in found:
        admin.execute(definition)


def workspaces(admin: psycopg.Connection[Any], *, tenants: int, owners: int, each: int) -> Tenant:
    """So many workspaces of so many owners of ``each`` deals; gives the one that is measured, whose datasets are built."""
    request = request_checked(customer="Bench", tier="enterprise", crm="salesforce", timezone="UTC")
    tenant = provision(request, acting_user=ACTOR)
    with context.platform("benchmark", ACTOR):
        Tenant.objects.bulk_create(
            Tenant(slug=f"bench{number}", name=f"Bench {number}", tier="growth", crm="salesforce")
            for number in range(1, tenants)
        )
    admin.execute(_OWNERS, {"owners": owners})
    with without_indexes(admin, "crm_sync_opportunity"):
        admin.execute(_DEALS, {"each": each})
    admin.execute("VACUUM (ANALYZE) crm_sync_owner, crm_sync_opportunity")
    datasets_refresh(tenant_id=tenant.id, deal_ids=None, acting_user=ACTOR)
    admin.execute("VACUUM (ANALYZE) pipeline_dealhealth, pipeline_dealword")
    return tenant


def people(slug: str, how_many: int) -> list[Member]:
    """A workspace with so many members, analysts and viewers in turns: 11 rights each on the average."""
    with context.platform("benchmark", ACTOR):
        tenant = Tenant.objects.create(slug=slug, name=slug, tier="enterprise", crm="salesforce")
    with context.tenant_wide(tenant.id):
        return members_of(tenant, how_many, [RoleCode.REVOPS_ANALYST, RoleCode.VIEWER])


def members_of(tenant: Tenant, how_many: int, roles: list[RoleCode]) -> list[Member]:
    """New members of a workspace, with these roles in turns. Needs the tenant-wide context."""
    emails = [f"{tenant.slug}{number}@bench.test" for number in range(how_many)]
    with context.accounts():
        users = User.objects.bulk_create([User(email=email, password="!") for email in emails])  # noqa: S106 - nobody can sign in by it
    members = [
        Member(tenant=tenant, user=user, email=user.email, role=role)
        for user, role in zip(users, itertools.cycle(roles), strict=False)
    ]
    return list(Member.objects.bulk_create(members))


def tree(admin: psycopg.Connection[Any], members: list[Member]) -> dict[int, list[Member]]:
    """Put the members into a tree; gives the heads of teams right below its top, by the team's size (a power of ten).

    A team of a thousand is a head with nine teams of a hundred, nine of ten, and nine people.
    """
    waiting = iter(members)
    lines: list[tuple[Member, Member]] = []

    def team(size: int) -> Member:
        head = next(waiting)
        while (size := size // 10) >= 1:
            lines.extend((team(size), head) for _ in range(9))
        return head

    top = next(waiting)
    heads: dict[int, list[Member]] = {}
    size = len(members)
    while (size := size // 10) >= 1:
        heads[size] = [team(size) for _ in range(9)]
        lines.extend((head, top) for head in heads[size])
    with context.tenant_wide(top.tenant_id):
        ReportingLine.objects.bulk_create(
            ReportingLine(tenant_id=top.tenant_id, member=member, manager=manager)
            for member, manager in lines
        )
    closed_tree(admin, top.tenant_id)
    return heads


def closed_tree(admin: psycopg.Connection[Any], tenant_id: int) -> None:
    """Have everybody's team known from the committed lines."""
    admin.execute(_PATHS, {"tenant": tenant_id})
    admin.execute("VACUUM (ANALYZE) tenants_member, rbac_reportingline, rbac_reportingpath")
