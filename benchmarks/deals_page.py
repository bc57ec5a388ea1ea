"""The deals page at a million deals in one workspace, against a signed-in page that reads nothing.

Both run in this process through the whole middleware, so the ratio has no HTTP server in it to flatter the slower one.
``python -m benchmarks.deals_page [--deals 1000000] [--rounds 40]``
"""

from __future__ import annotations

import argparse
import html
import os
import re
import secrets
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from revops_admin.runtime.services import (
    Services,
    create_database,
    drop_database,
    ensure_services,
    recorded,
    stop_services,
)

HOME = Path(os.environ.get("REVOPS_HOME") or ".local").absolute() / "bench"
DATABASE = "bench_deals_page"
OWNERS = 200
TEAM = 43
GOAL = 3.0

_OWNERS = """
    INSERT INTO crm_sync_owner (tenant_id, source, external_id, modified_at, custom, email, name, is_active, manager_external_id)
    SELECT %(tenant)s, 'salesforce', 'owner' || n, now(), '{}', 'owner' || n || '@bench.test', 'Owner ' || n, true, ''
    FROM generate_series(1, %(owners)s) AS n
"""
_DEALS = """
    INSERT INTO crm_sync_opportunity (tenant_id, source, external_id, modified_at, custom, owner_external_id, owner_id, name,
        account_external_id, account_name, stage, amount_minor, currency, probability_percent, close_on, is_closed, is_won, kind,
        lead_source, next_step, forecast_category, created_at, stage_changed_at, last_activity_on)
    SELECT %(tenant)s, 'salesforce', 'deal' || n, now(), '{}', o.external_id, o.id, 'Deal ' || n || ' for account ' || n %% 50000,
        'account' || n %% 50000, 'Account ' || n %% 50000,
        (ARRAY['Qualification', 'Discovery', 'Demo/POC', 'Proposal', 'Negotiation'])[1 + n / 7 %% 5],
        (random() * 10000000)::bigint, 'USD', 20, current_date - 60 + (random() * 240)::int, n / %(owners)s %% 5 < 2, n / %(owners)s %% 5 = 0, 'New',
        'Web', CASE WHEN n %% 3 = 0 THEN '' ELSE 'Call' END, 'Pipeline', now() - random() * interval '200 days',
        now() - random() * interval '60 days', current_date - (random() * 40)::int
    FROM generate_series(1, %(deals)s) AS n
    JOIN crm_sync_owner o ON o.tenant_id = %(tenant)s AND o.external_id = 'owner' || (1 + n %% %(owners)s)
"""
_CHILDREN = (
    """
    INSERT INTO crm_sync_activity (tenant_id, source, external_id, modified_at, custom, opportunity_external_id, opportunity_id,
        deal_owner_id, kind, subject, status, happens_on, is_closed, owner_external_id)
    SELECT tenant_id, source, 'task' || id, now(), '{}', external_id, id, owner_id, 'task', 'Call', 'Completed',
        current_date - (random() * 60)::int, true, owner_external_id
    FROM crm_sync_opportunity WHERE tenant_id = %(tenant)s
    """,
    """
    INSERT INTO crm_sync_stagechange (tenant_id, source, external_id, modified_at, custom, opportunity_external_id,
        opportunity_id, deal_owner_id, stage, amount_minor, close_on, changed_at, changed_by_external_id)
    SELECT tenant_id, source, 'change' || id, now(), '{}', external_id, id, owner_id, stage, amount_minor, close_on,
        stage_changed_at, ''
    FROM crm_sync_opportunity WHERE tenant_id = %(tenant)s
    """,
    """
    INSERT INTO crm_sync_contactrole (tenant_id, source, external_id, modified_at, custom, opportunity_external_id,
        opportunity_id, deal_owner_id, contact_external_id, role, is_primary)
    SELECT tenant_id, source, 'role' || id, now(), '{}', external_id, id, owner_id, 'contact' || id, '', false
    FROM crm_sync_opportunity WHERE tenant_id = %(tenant)s AND id %% 2 = 0
    """,
)


@contextmanager
def scratch() -> Iterator[Services]:
    """A migrated database of its own, dropped afterwards; servers that this started are ended."""
    was_running = recorded(HOME) is not None
    services = ensure_services(HOME, durable=False)
    drop_database(services, DATABASE)
    moved = create_database(services, DATABASE)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "revops_admin.settings.testing",
        "REVOPS_HOME": str(HOME),
        "DATABASE_URL": moved.database_url,
        "DATABASE_OWNER_URL": moved.database_owner_url,
        "REDIS_URL": moved.redis_url,
    }
    try:
        yield moved
    finally:
        from django.db import connections

        connections.close_all()
        drop_database(services, DATABASE)
        if not was_running:
            stop_services(HOME)


def prepare(deals: int) -> Any:
    """Migrate, provision, generate, build; gives the workspace's tenant."""
    import django
    from django.core.management import call_command
    from django.db import connection, connections

    django.setup()
    call_command("migrate", database="owner", verbosity=0)
    from isolation import context
    from isolation.actors import Actor
    from pipeline.services import datasets_refresh
    from tenants.provisioning import provision, request_checked

    actor = Actor.system("benchmarks.deals_page")
    request = request_checked(customer="Bench", tier="enterprise", crm="salesforce", timezone="UTC")
    tenant = provision(request, acting_user=actor)
    values = {"tenant": tenant.id, "deals": deals, "owners": OWNERS}
    with timed(f"generating {deals:,} deals"), context.tenant_wide(tenant.id), connection.cursor() as cursor:
        for statement in (_OWNERS, _DEALS, *_CHILDREN):
            cursor.execute(statement, values)
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    with timed("first build of all datasets"):
        report(datasets_refresh(tenant_id=tenant.id, deal_ids=None, acting_user=actor))
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    with timed("second build, nothing changed"):
        report(datasets_refresh(tenant_id=tenant.id, deal_ids=None, acting_user=actor))
    with context.tenant_wide(tenant.id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM crm_sync_opportunity WHERE tenant_id = %s ORDER BY id LIMIT 1000", [tenant.id]
        )
        some = [deal for (deal,) in cursor.fetchall()]
    with timed("build after 1,000 deals changed"):
        report(datasets_refresh(tenant_id=tenant.id, deal_ids=some, acting_user=actor))
    return tenant


def report(builds: list[Any]) -> None:
    """One line for each build."""
    for build in builds:
        print(
            f"  {build.dataset}: {build.rows_read:,} read, {build.rows_written:,} written, {build.seconds:.2f} s"
        )


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long the body took."""
    started = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started:.1f} s", flush=True)


def browsers(tenant: Any) -> dict[str, Any]:
    """A signed-in browser for each shape of visibility: the whole workspace, a team, one owner."""
    from django.test import Client

    from accounts.services import user_create
    from crm_sync.models import Owner
    from isolation import context
    from isolation.actors import Actor
    from rbac.services import reporting_line_set
    from tenants.models import RoleCode
    from tenants.services import member_add

    actor = Actor.system("benchmarks.deals_page")

    def person(name: str, role: RoleCode) -> tuple[Any, Any]:
        user = user_create(
            email=f"{name}@bench.test", name=name, password=secrets.token_urlsafe(), acting_user=actor
        )
        with context.tenant_wide(tenant.id):
            return user, member_add(tenant=tenant, user=user, role=role, acting_user=actor)

    admin, _ = person("admin", RoleCode.CUSTOMER_ADMIN)
    head, manager = person("manager", RoleCode.SALES_MANAGER)
    team = [person(f"rep{number}", RoleCode.SALES_REP) for number in range(1, TEAM + 1)]
    with context.tenant_wide(tenant.id):
        for number, (_, member) in enumerate(team, start=1):
            reporting_line_set(member=member, manager=manager, acting_user=actor)
            Owner.objects.filter(external_id=f"owner{number}").update(member_id=member.id)
    found = {}
    for label, user in (("admin", admin), ("manager", head), ("rep", team[0][0])):
        found[label] = Client()
        found[label].force_login(user)
    return found


def add_floor() -> str:
    """Mount the page that reads nothing: the same door, layout and navigation, no query of its own."""
    from django.http import HttpRequest, HttpResponse
    from django.template.response import TemplateResponse
    from django.urls import clear_url_caches, path

    from pages.objects import Page
    from rbac.requests import workspace_view
    from revops_admin import urls

    @workspace_view("pipeline.view")
    def nothing(request: HttpRequest) -> HttpResponse:
        return TemplateResponse(request, "layouts/workspace.html", {"page": Page(title="Nothing")})

    urls.urlpatterns.insert(0, path("w/<slug:tenant>/bench-nothing/", nothing))
    clear_url_caches()
    return "/w/bench/bench-nothing/"


def next_page(browser: Any) -> str:
    """The address behind "Next" on the first page."""
    found = re.search(r'rel="next" href="([^"]+)"', browser.get("/w/bench/deals/").content.decode())
    if found is None:
        raise SystemExit("The first page of deals leads to no second one.")
    return html.unescape(found[1])


def addresses(browser: Any, floor: str) -> dict[str, str]:
    """What is asked for, by name; the floor is the first."""
    return {
        "a page that reads nothing": floor,
        "deals": "/w/bench/deals/",
        "deals, second page": next_page(browser),
        "deals, largest first": "/w/bench/deals/?sort=-amount",
        "deals, worst first": "/w/bench/deals/?sort=score",
        "deals, critical": "/w/bench/deals/?band=critical",
        "deals, one stage": "/w/bench/deals/?stage=Proposal",
        "deals, stale and large": "/w/bench/deals/?hygiene=stale&amount_min=90000&sort=-amount",
        "deals, one owner": "/w/bench/deals/?owner=owner1",
        "search, rare": "/w/bench/deals/?q=account+7770",
        "search, common": "/w/bench/deals/?q=acc",
        "search, both common": "/w/bench/deals/?q=deal+1",
        "search, nothing": "/w/bench/deals/?q=account+nothing",
        "home": "/w/bench/",
        "one deal": "/w/bench/deals/deal200/",
    }


def measure(addresses: dict[str, str], browser: Any, rounds: int) -> dict[str, float]:
    """Median milliseconds of each address, asked in turns so that all meet the same noise."""
    times: dict[str, list[float]] = {label: [] for label in addresses}
    for turn in range(rounds + 3):
        for label, address in addresses.items():
            started = time.perf_counter()
            response = browser.get(address)
            elapsed = (time.perf_counter() - started) * 1000
            if response.status_code != 200:
                raise SystemExit(f"{address} answered {response.status_code}")
            if turn >= 3:
                times[label].append(elapsed)
    return {label: statistics.median(values) for label, values in times.items()}


def main() -> int:
    """Print medians and ratios; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    with scratch():
        tenant = prepare(arguments.deals)
        floor, people, worst = add_floor(), browsers(tenant), 0.0
        for label, browser in people.items():
            pages = addresses(browser, floor)
            medians = measure(pages, browser, arguments.rounds)
            base = medians["a page that reads nothing"]
            print(f"\n{label}")
            for name, median in medians.items():
                print(f"  {name:<28}{median:9.1f} ms{median / base:7.2f} x")
            worst = max(worst, medians["deals"] / base)
    print(f"\nThe deals page is {worst:.2f} times a page that reads nothing (goal: at most {GOAL}).")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
