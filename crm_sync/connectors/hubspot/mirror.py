"""What the mirror holds already: so that of what a search finds, only what is new is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from django.db.models import QuerySet
from django.db.models.functions import Now

from crm_sync import conf
from crm_sync.connectors.base import ObjectSpec
from crm_sync.connectors.hubspot import objects
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
