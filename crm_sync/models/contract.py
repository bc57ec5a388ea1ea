"""What a workspace expects of its CRM's fields, and where the CRM does not keep to it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from crm_sync.models.sync import Connection
from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel


class FieldMap(TenantModel):
    """One version of a connection's field mapping; the highest number is in force. Versions are never changed.

    ``document`` is ``{object: {our field: CRM field}}``; fields that have no column of ours are kept as custom ones.
    ``contract`` is what the mapped fields were when the version was saved: ``{object: {CRM field: FieldDescription}}``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()
    document = models.JSONField()
    contract = models.JSONField(default=dict)
    note = models.CharField(max_length=200, blank=True)
    saved_by = models.CharField(max_length=254)
    saved_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "version"], name="crm_sync_fieldmap_version"
            )
        ]


class ViolationKind(models.TextChoices):
    """How a field or a value breaks the contract. The first five concern fields, the others values of rows."""

    REMOVED = "removed", "Field removed or hidden"
    ADDED = "added", "New required field"
    RETYPED = "retyped", "Type changed"
    OPTIONS = "options", "Options changed"
    NULLABLE = "nullable", "May now be empty"
    TYPE = "type", "Not of its type"
    REQUIRED = "required", "Missing"
    RANGE = "range", "Out of range"
    PICKLIST = "picklist", "Not one of the options"
    REFERENCE = "reference", "Points nowhere"


class ContractViolation(TenantModel):
    """One way in which one field breaks the contract, as long as it lasts: counted, with the first rows that did.

    ``rows`` is how many rows break it now (0 for what concerns the field itself); ``examples`` are ids of the first ones. A
    violation that is over keeps ``resolved_at``; one that comes back is a new one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    object_name = models.CharField(max_length=60)
    field = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=ViolationKind.choices)
    expected = models.CharField(max_length=300, blank=True)
    found = models.CharField(max_length=300, blank=True)
    rows = models.BigIntegerField(default=0)
    examples = models.JSONField(default=list)
    detected_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "object_name", "field", "kind"],
                condition=models.Q(resolved_at=None),
                name="crm_sync_violation_open",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-detected_at"], name="crm_sync_violation_newest")
        ]


class CheckedMonth(TenantModel):
    """One month of one object in the last comparison with the CRM: rows and checksum on both sides, and what was healed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    object_name = models.CharField(max_length=60)
    month = models.DateField(
        null=True
    )  # its first day, of the rows' creation; null where the CRM does not say
    crm_rows = models.BigIntegerField()
    mirror_rows = models.BigIntegerField()
    crm_checksum = models.CharField(max_length=40)
    mirror_checksum = models.CharField(max_length=40)
    healed_rows = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "object_name", "month"],
                nulls_distinct=False,
                name="crm_sync_checked_month",
            )
        ]
