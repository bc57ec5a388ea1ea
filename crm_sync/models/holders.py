"""Whose CRM owners and deals were before. The present is in the rows themselves (``Owner.member_id``, ``Opportunity.owner_id``).

Triggers write these, whatever changes the rows, and only for changes: a first load writes none.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from isolation.clock import StatementNow
from isolation.models import MirrorModel


class FormerHolder(MirrorModel):
    """Whose a CRM owner's deals were until ``valid_until``; ``member_id`` None: nobody's."""

    id = models.BigAutoField(primary_key=True)
    owner_id = models.BigIntegerField()
    member_id = models.UUIDField(null=True)
    valid_until = models.DateTimeField(db_default=StatementNow())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "owner_id", "valid_until"], name="crm_sync_former_of_owner")
        ]

    class Isolation:
        visible_through = "owner_id"


class FormerOwner(MirrorModel):
    """Which CRM owner a deal or account belonged to until ``valid_until``; ``owner_id`` None: to none that the mirror knew."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8)  # "deal" or "account"
    row_id = models.BigIntegerField()
    owner_id = models.BigIntegerField(null=True)
    valid_until = models.DateTimeField(db_default=StatementNow())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "kind", "row_id", "valid_until"], name="crm_sync_former_of_row")
        ]

    class Isolation:
        visible_through = "owner_id"
