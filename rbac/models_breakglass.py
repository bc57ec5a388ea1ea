"""When one of the vendor's staff may read a workspace's data, why, and the mails owed for it."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
from isolation.wall import THIS_PERSON
from tenants.models import Member

LONGEST_STAY = timedelta(hours=4)


class BreakGlass(TenantModel):
    """An operator's stay in a workspace's data, from ``started_at`` until the earlier of ``until`` and ``ended_at``.

    Whether it is in force, the database's clock says whenever somebody asks; no job ends it. Only the end is written later.
    The operator is kept by id and address: a workspace's roles never reach the table of accounts.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    operator_id = models.UUIDField()
    operator_label = models.CharField(max_length=254)
    reason = models.CharField(max_length=300)
    ticket = models.CharField(max_length=60, blank=True)
    started_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(until__gte=F("started_at"), until__lte=F("started_at") + LONGEST_STAY),
                name="rbac_breakglass_at_most",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-started_at", "-id"], name="rbac_breakglass_newest"),
            # By tenant first, though the door asks for an operator's own before it knows the workspace: what is not ended is little,
            # and an index over all workspaces would let EXPLAIN ANALYZE count them.
            models.Index(fields=["tenant", "until"], condition=Q(ended_at=None), name="rbac_breakglass_open"),
        ]

    class Isolation:
        person = f"operator_id = {THIS_PERSON}"

    def __str__(self) -> str:
        return f"{self.operator_label}: {self.reason}"


class BreakGlassMail(TenantModel):
    """A mail owed to one of the workspace's people about a stay. ``next_attempt_at`` is the lease of a try under way, too."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    stay = SameTenantForeignKey(BreakGlass, on_delete=models.CASCADE, related_name="+")
    member = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    next_attempt_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "stay", "member"], name="rbac_breakglass_mail_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["tenant", "next_attempt_at"],
                condition=Q(sent_at=None),
                name="rbac_breakglass_mail_due",
            )
        ]
