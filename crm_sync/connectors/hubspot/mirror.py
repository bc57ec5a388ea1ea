"""What the mirror holds already: so that of what a search finds, only what is new is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from django.db.models import QuerySet, Value
from django.db.models.functions import Now

from crm_sync import conf
from crm_sync.connectors.base import ObjectSpec
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.records import Link, Links, id_order
from crm_sync.models import (
    Account,
    Activity,
    ArchivedRow,
    ContactRole,
    Opportunity,
    RejectedRow,
    SyncCursor,
    archived_cursor,
)
from crm_sync.models.mirror import MirrorColumns
from isolation import context

# Associations move no stamp: rows that lack one are read again as long as searches show them.
_LACKING = {
    objects.PRIMARY_COMPANY: "account_external_id",
    objects.DEAL_OF_ACTIVITY: "opportunity_external_id",
}


class Mirror:
    """One workspace's rows of one CRM. Every question is a short transaction of its own."""

    def __init__(self, tenant_id: int, source: str) -> None:
        self._tenant_id = tenant_id
        self._source = source

    def stamps(self, spec: ObjectSpec, ids: Sequence[str]) -> dict[str, datetime]:
        """{id: stamp} of those rows that are in the mirror and lack no association."""
        lacking = [column for field, column in _LACKING.items() if field in spec.fields]
        with context.tenant_wide(self._tenant_id):
            rows = self._rows(spec).filter(external_id__in=ids, **{f"{each}__gt": "" for each in lacking})
            return dict(rows.values_list("external_id", "modified_at"))

    def held(self, spec: ObjectSpec, ids: Sequence[str] | None = None) -> list[str]:
        """Which of these ids, or of all, the mirror holds."""
        with context.tenant_wide(self._tenant_id):
            rows = self._rows(spec)
            chosen = rows if ids is None else rows.filter(external_id__in=ids)
            return list(chosen.values_list("external_id", flat=True))

    def behind(self, spec: ObjectSpec, other: ObjectSpec, links: Links) -> list[str]:
        """Those rows of ``other`` that the mirror holds without naming the records of an object that are linked to them."""
        if spec.name == objects.CONTACTS:
            return self._without_role(other, links)
        column = "account_external_id" if spec.model is Account else "opportunity_external_id"
        with context.tenant_wide(self._tenant_id):
            rows = self._rows(other).filter(external_id__in=_far_ends(links))
            named = dict(rows.values_list("external_id", column))
        found = {
            link.to
            for own_id, near in links.items()
            for link in near
            if link.to in named and _should_name(spec, own_id, link, named[link.to])
        }
        return sorted(found)

    def _without_role(self, deals: ObjectSpec, links: Links) -> list[str]:
        roles = {f"{link.to}-{contact}": link.to for contact, near in links.items() for link in near}
        with context.tenant_wide(self._tenant_id):
            own = {"tenant_id": self._tenant_id, "source": self._source}
            held = ContactRole.objects.filter(external_id__in=list(roles), **own)
            lacking = {roles[role] for role in roles.keys() - set(held.values_list("external_id", flat=True))}
        return self.held(deals, sorted(lacking)) if lacking else []

    def named_by(self, spec: ObjectSpec, kind: str, ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """(own id, id of the other, what the other is to it) of what the mirror's rows of an object name among the records of a kind."""
        with context.tenant_wide(self._tenant_id):
            rows = self._rows(spec).filter(external_id__in=ids)
            if kind == objects.CONTACTS:
                roles = ContactRole.objects.filter(
                    tenant_id=self._tenant_id, opportunity_id__in=rows.values("id")
                )
                return list(roles.values_list("opportunity_external_id", "contact_external_id", "role"))
            column = "account_external_id" if kind == objects.COMPANIES else "opportunity_external_id"
            return list(rows.exclude(**{column: ""}).values_list("external_id", column, Value("")))

    def activities_of(self, deals: Sequence[str]) -> list[tuple[str, str]]:
        """Activities that lead to these deals, as (object, id), whether the mirror holds the deals or not."""
        with context.tenant_wide(self._tenant_id):
            own = {"tenant_id": self._tenant_id, "source": self._source}
            ids = Opportunity.objects.filter(external_id__in=deals, **own).values("id")
            found = Activity.objects.filter(opportunity_id__in=ids, **own)
            loose = Activity.objects.filter(opportunity_id=None, opportunity_external_id__in=deals, **own)
            rows = [*found.values_list("kind", "external_id"), *loose.values_list("kind", "external_id")]
        return [(f"{kind}s", row_id) for kind, row_id in rows]

    def deals_with(self, spec: ObjectSpec, ids: Sequence[str]) -> list[str]:
        """Deals that these companies or contacts have to do with, whether the mirror holds those or not."""
        model, one, deal = (
            (Opportunity, "account", "external_id")
            if spec.model is Account
            else (ContactRole, "contact", "opportunity_external_id")
        )
        with context.tenant_wide(self._tenant_id):
            own = {"tenant_id": self._tenant_id, "source": self._source}
            theirs = self._rows(spec).filter(external_id__in=ids).values("id")
            linked = model.objects.filter(**{f"{one}_id__in": theirs}, **own)
            loose = model.objects.filter(**{f"{one}_id": None, f"{one}_external_id__in": ids}, **own)
            return sorted({*linked.values_list(deal, flat=True), *loose.values_list(deal, flat=True)})

    def is_archive_due(self, spec: ObjectSpec) -> bool:
        """Whether the list of archived records was read longer ago than ``conf.hubspot_archive_seconds()``, or never."""
        recently = Now() - timedelta(seconds=conf.hubspot_archive_seconds())
        with context.tenant_wide(self._tenant_id):
            read = SyncCursor.objects.filter(
                tenant_id=self._tenant_id, connection__source=self._source,
                object_name=archived_cursor(spec.name), watermark__gte=recently,
            )  # fmt: skip
            return not read.exists()

    def live(self, spec: ObjectSpec) -> int:
        """How many rows the mirror knows, kept aside or not."""
        with context.tenant_wide(self._tenant_id):
            aside = RejectedRow.objects.filter(
                tenant_id=self._tenant_id, connection__source=self._source, object_name=spec.name
            )
            return self._rows(spec).count() + aside.count()

    def archived(self, spec: ObjectSpec) -> set[str]:
        """The ids that were on the list of archived records when it was last read."""
        with context.tenant_wide(self._tenant_id):
            rows = ArchivedRow.objects.filter(
                tenant_id=self._tenant_id, source=self._source, object_name=spec.name
            )
            return set(rows.values_list("external_id", flat=True))

    def _rows(self, spec: ObjectSpec) -> QuerySet[MirrorColumns]:
        model = cast(type[MirrorColumns], spec.model)
        rows: QuerySet[MirrorColumns] = model._default_manager.filter(
            tenant_id=self._tenant_id, source=self._source, **spec.constants
        )
        return rows


def _far_ends(links: Links) -> list[str]:
    return sorted({link.to for near in links.values() for link in near})


def _should_name(spec: ObjectSpec, own_id: str, link: Link, named: str) -> bool:
    """Whether a row that names ``named`` (or nothing, "") should name this record: its primary company, or its lowest deal."""
    if spec.model is Account:
        return link.is_primary and named != own_id
    return not named or id_order(own_id) < id_order(named)
