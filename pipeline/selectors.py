"""Reads of the pipeline for pages, exports and the API. All run in the reader's own context: the wall leaves out the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Lower

from crm_sync.models import Account, Activity, Contact, ContactRole, Opportunity, Owner, StageChange
from isolation import context
from isolation.actors import Actor
from isolation.errors import NotFound
from pipeline import cursors
from pipeline.cursors import Cursor
from pipeline.filters import DealFilters, FilterFacts, Parameters, ParsedFilters, parse
from pipeline.listing import DealQuery, DealRow
from pipeline.listing_shared import deal_query
from pipeline.models import Band, BuildState, DatasetBuild, DealHealth, RecentChange
from rbac.redaction.reading import Redactor
from tenants.models import Crm
from tenants.selectors import settings_of
from tenants.settings_schema import TenantSettings

PAGE_SIZE = 25
COUNTED_AT_MOST = 10_000
COUNTED_AT_MOST_FILTERED = 1_000
"""Where no index holds what the filters ask for, counting reads the deals themselves."""
CHILDREN_SHOWN = 50


@dataclass(frozen=True)
class DealPage:
    """One page of deals in the list's order; the cursors are None at the ends.

    ``count`` is how many the whole list has, None where counting would cost more than it tells; ``is_count_capped`` says
    that there are more than ``count``.
    """

    rows: Sequence[DealRow]
    next_cursor: str | None
    previous_cursor: str | None
    count: int | None
    is_count_capped: bool = False


def deal_filters_of(parameters: Parameters, *, tenant_id: int, currency: str) -> ParsedFilters:
    """The filters of an address, with a sentence for each field that cannot be used."""
    facts = FilterFacts(
        currency=currency,
        stages=stages_in_use(tenant_id, settings_of(tenant_id)),
        owners_named=lambda names: owners_named(tenant_id, names),
    )
    return parse(parameters, facts)


def deals_visible(
    filters: DealFilters, *, tenant_id: int, cursor: str = "", size: int = PAGE_SIZE, is_counted: bool = True
) -> DealPage:
    """One page of the deals that the reader sees. Raises: InvalidInput for a bad cursor; SearchTooSlow."""
    query = deal_query(tenant_id, filters)
    at = cursors.decode(cursor, filters) if cursor else None
    rows = query.fetch(limit=size + 1, cursor=at)
    if at is not None and at.is_backward and len(rows) <= size:
        at, rows = None, query.fetch(limit=size + 1)  # the way back ended early: show the first page whole
    is_backward = at is not None and at.is_backward
    has_more = len(rows) > size
    rows = rows[-size:] if is_backward else rows[:size]
    most = COUNTED_AT_MOST if query.is_countable_by_index else COUNTED_AT_MOST_FILTERED
    count = _count(query, rows, most, is_whole=at is None and not has_more) if is_counted else None
    return DealPage(
        rows=rows,
        next_cursor=_beside(rows[-1:], filters) if has_more or is_backward else None,
        previous_cursor=_beside(rows[:1], filters, is_backward=True)
        if at is not None and (has_more or not is_backward)
        else None,
        count=None if count is None else min(count, most),
        is_count_capped=count is not None and count > most,
    )


def _beside(row: Sequence[DealRow], filters: DealFilters, *, is_backward: bool = False) -> str | None:
    if not row:
        return None
    return cursors.encode(Cursor(row[0].sort_value(filters.sort), row[0].id, is_backward), filters)


def _count(query: DealQuery, rows: Sequence[DealRow], most: int, *, is_whole: bool) -> int | None:
    if is_whole:
        return len(rows)
    if (
        query.is_searching_everything
    ):  # it would read every deal to count; the rows themselves stop at the first page
        return None
    return query.count(at_most=most + 1)


def deals_streamed(filters: DealFilters, *, actor: Actor, tenant_id: int) -> Iterator[DealRow]:
    """Every deal of the list, for an export: one transaction of its own, from the first row to the last."""
    with context.of_actor(actor, tenant_id):
        yield from deal_query(tenant_id, filters).stream()


# Where filters' values come from

# PostgreSQL before 18 cannot skip through an index: this asks for one stage after the other.
_STAGES = """
    WITH RECURSIVE seen (stage) AS (
        (SELECT stage FROM pipeline_pipelinesummary WHERE tenant_id = %(tenant)s ORDER BY stage LIMIT 1)
        UNION ALL
        SELECT (SELECT s.stage FROM pipeline_pipelinesummary s
                WHERE s.tenant_id = %(tenant)s AND s.stage > seen.stage ORDER BY s.stage LIMIT 1)
        FROM seen WHERE seen.stage IS NOT NULL
    )
    SELECT stage FROM seen WHERE stage IS NOT NULL
"""


def stages_in_use(tenant_id: int, settings: TenantSettings) -> list[str]:
    """The stages of the settings in their order, then those that only the CRM knows."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGES, {"tenant": tenant_id})
        found = [stage for (stage,) in cursor.fetchall()]
    known = [stage.name for stage in sorted(settings.stages, key=lambda stage: stage.order)]
    lower = {name.lower() for name in known}
    return [*known, *(stage for stage in found if stage.lower() not in lower)]


def owners_named(tenant_id: int, names: Sequence[str]) -> dict[str, int]:
    """Internal ids of the visible owners that have one of these CRM ids or e-mail addresses, by what was asked for."""
    lower = [name.lower() for name in names]
    owners = Owner.objects.filter(tenant_id=tenant_id).annotate(address=Lower("email"))
    found: dict[str, int] = {}
    for owner in owners.filter(Q(external_id__in=names) | Q(address__in=lower)):
        found |= {
            name: owner.id
            for name in names
            if name == owner.external_id or name.lower() == owner.email.lower()
        }
    return found


def owners_visible(tenant_id: int, *, at_most: int) -> list[tuple[str, str]] | None:
    """The CRM ids and names of the owners that the reader sees, by name; None where there are more than ``at_most``."""
    owners = Owner.objects.filter(tenant_id=tenant_id).order_by("name", "id")
    found = list(owners.values_list("external_id", "name")[: at_most + 1])
    return found if len(found) <= at_most else None


# Home


@dataclass(frozen=True)
class Slice:
    """The open deals of one stage and band in one currency."""

    stage: str
    band: Band
    currency: str
    deals: int
    amount_minor: int
    weighted_minor: int
    stale_deals: int
    past_close_deals: int


_SLICES = """
    SELECT stage, band, currency, sum(deals)::bigint, sum(amount_minor)::bigint, sum(weighted_minor)::bigint,
        sum(stale_deals)::bigint, sum(past_close_deals)::bigint
    FROM pipeline_pipelinesummary WHERE tenant_id = %s GROUP BY stage, band, currency
"""


def pipeline_slices(tenant_id: int) -> list[Slice]:
    """The reader's open pipeline by stage, band and currency, as of the last build."""
    with connection.cursor() as cursor:
        cursor.execute(_SLICES, [tenant_id])
        return [Slice(stage, Band(band), *rest) for stage, band, *rest in cursor.fetchall()]


@dataclass(frozen=True)
class Move:
    """A deal that came in (``from_stage`` is empty) or changed stage."""

    deal: Opportunity
    from_stage: str
    to_stage: str
    changed_at: datetime


def recent_moves(tenant_id: int, *, at_most: int) -> list[Move]:
    """The newest changes of stage among the reader's deals."""
    changes = list(RecentChange.objects.filter(tenant_id=tenant_id).order_by("-changed_at", "-id")[:at_most])
    deals = Opportunity.objects.filter(tenant_id=tenant_id).in_bulk(
        [change.opportunity_id for change in changes]
    )
    return [
        Move(deals[change.opportunity_id], change.from_stage, change.to_stage, change.changed_at)
        for change in changes
        if change.opportunity_id in deals
    ]


# One deal


@dataclass(frozen=True)
class DealContact:
    """A contact's part in a deal, as its reader may see the person; ``name`` is None while the CRM's reference dangles or is not theirs to see."""

    role: str
    is_primary: bool
    name: str | None
    title: str
    email: str
    is_masked: bool


@dataclass(frozen=True)
class DealActivity:
    """A task, event, call, meeting, mail or note about a deal, as its reader may see it."""

    kind: str
    subject: str
    status: str
    happens_on: date | None
    is_closed: bool


@dataclass(frozen=True)
class DealDetail:
    """Everything that one deal's page shows; the newest of history and activities, ``CHILDREN_SHOWN`` of each.

    ``next_step``, activities and contacts are as the reader may see them: take them from here, not from the deal.
    """

    deal: Opportunity
    next_step: str
    owner: Owner | None
    account: Account | None
    health: DealHealth | None
    history: Sequence[StageChange]
    activities: Sequence[DealActivity]
    contacts: Sequence[DealContact]


def deal_named(tenant_id: int, external_id: str) -> Opportunity:
    """The deal of that CRM id. Raises: NotFound, also where the reader may not see it."""
    deals = Opportunity.objects.filter(tenant_id=tenant_id, source__in=Crm.values, external_id=external_id)
    deal: Opportunity | None = deals.first()
    if deal is None:
        raise NotFound(what="deal of yours")
    return deal


def deal_detail(tenant_id: int, external_id: str, redactor: Redactor) -> DealDetail:
    """One deal with what belongs to it, as the redactor's reader may see it. Raises: NotFound."""
    deal = deal_named(tenant_id, external_id)
    return DealDetail(
        deal=deal,
        next_step=redactor.row(deal.external_id).text(deal.next_step),
        owner=Owner.objects.filter(tenant_id=tenant_id, id=deal.owner_id).first(),
        account=Account.objects.filter(tenant_id=tenant_id, id=deal.account_id).first(),
        health=DealHealth.objects.filter(tenant_id=tenant_id, opportunity_id=deal.id).first(),
        history=list(
            StageChange.objects.filter(tenant_id=tenant_id, opportunity_id=deal.id).order_by(
                "-changed_at", "-id"
            )[:CHILDREN_SHOWN]
        ),
        activities=_activities_of(deal, redactor),
        contacts=_contacts_of(deal, redactor),
    )


def _activities_of(deal: Opportunity, redactor: Redactor) -> list[DealActivity]:
    found = Activity.objects.filter(tenant_id=deal.tenant_id, opportunity_id=deal.id)
    return [
        DealActivity(
            kind=each.kind,
            subject=redactor.row(each.external_id).text(each.subject),
            status=each.status,
            happens_on=each.happens_on,
            is_closed=each.is_closed,
        )
        for each in found.order_by("-happens_on", "-id")[:CHILDREN_SHOWN]
    ]


def _contacts_of(deal: Opportunity, redactor: Redactor) -> list[DealContact]:
    roles = ContactRole.objects.filter(tenant_id=deal.tenant_id, opportunity_id=deal.id)
    shown = list(roles.order_by("-is_primary", "id")[:CHILDREN_SHOWN])
    people = Contact.objects.filter(tenant_id=deal.tenant_id).in_bulk(
        [role.contact_id for role in shown if role.contact_id]
    )
    return [_contact_of(role, people.get(role.contact_id), redactor) for role in shown]


def _contact_of(role: ContactRole, person: Contact | None, redactor: Redactor) -> DealContact:
    see = redactor.row(person.external_id if person else role.external_id)
    return DealContact(
        role=see.text(role.role),
        is_primary=role.is_primary,
        name=see.text(person.name) if person else None,
        title=see.text(person.title) if person else "",
        email=see.email(person.email) if person else "",
        is_masked=see.is_masking,
    )


# Datasets


def latest_builds(
    tenant_id: int, *, state: BuildState | None = None, at_most: int = 50
) -> list[DatasetBuild]:
    """The newest builds of all datasets, newest first; only those in ``state`` where one is given."""
    builds = DatasetBuild.objects.filter(tenant_id=tenant_id).order_by("-requested_at", "-id")
    return list((builds if state is None else builds.filter(state=state))[:at_most])
