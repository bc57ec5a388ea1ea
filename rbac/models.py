"""The reporting tree, the groups that stand for roles, a workspace's own roles, and who holds which role from when to when."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
from rbac.models_catalogue import (  # noqa: F401  # Django finds models only through this module
    CatalogueMapping,
    CataloguePermission,
    CatalogueRole,
)
from tenants.models import Member, RoleCode


class Group(TenantModel):
    """A named group of the workspace that stands for one role (``acme-corp-revops-admins`` → customer_admin)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=20, choices=RoleCode.choices)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="rbac_group_name")]


class ReportingLine(TenantModel):
    """Who reports to whom, directly: the edge that people edit. At most one manager a member."""

    id = models.BigAutoField(primary_key=True)
    member = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    manager = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "member"], name="rbac_line_member")
        ]


class ReportingPath(TenantModel):
    """The closure of the reporting lines: one row for every pair above/below, ``depth`` 0 being the member itself.

    Only ``rbac.services.reporting_line_set`` writes it, together with the edge.
    """

    id = models.BigAutoField(primary_key=True)
    ancestor = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    descendant = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    depth = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "ancestor", "descendant"], name="rbac_path_pair")
        ]


class Sight(models.TextChoices):
    """Which deals a role shows, from the narrowest to the widest."""

    OWN = "own", "Own deals"
    TEAM = "team", "The team's deals"
    EVERYTHING = "everything", "Every deal"


class CustomRole(TenantModel):
    """A role that a workspace made for itself; what it holds is in its versions. Archived, never deleted: the past names it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)
    archived_at = models.DateTimeField(null=True)
    archived_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "code"], name="rbac_customrole_code"),
            models.CheckConstraint(
                condition=~Q(code__in=RoleCode.values), name="rbac_customrole_not_built_in"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class CustomRoleVersion(TenantModel):
    """What a workspace's own role was from ``valid_from`` until ``valid_until`` (None: it still is). Never rewritten."""

    id = models.BigAutoField(primary_key=True)
    role = SameTenantForeignKey(CustomRole, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=60)
    sentence = models.CharField(max_length=200)
    level = models.PositiveSmallIntegerField()
    sight = models.CharField(max_length=10, choices=Sight.choices)
    permissions = ArrayField(models.CharField(max_length=80))
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    changed_by = models.CharField(max_length=254)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "role", "version"], name="rbac_roleversion_once"),
            models.UniqueConstraint(
                fields=["tenant", "role"], condition=Q(valid_until=None), name="rbac_roleversion_in_force"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RoleGrant(TenantModel):
    """A role that a member holds beside the base role, from ``valid_from`` until the earlier of ``valid_until`` and ``revoked_at``.

    The role is a built-in one (``role``) or one of the workspace's own (``custom_role``). Only the end is ever written later.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    member = SameTenantForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20, choices=RoleCode.choices, blank=True)
    custom_role = SameTenantForeignKey(CustomRole, on_delete=models.PROTECT, related_name="+", null=True)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300)
    granted_by = models.CharField(max_length=254)
    granted_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=254, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(role="", custom_role__isnull=False) | (~Q(role="") & Q(custom_role__isnull=True)),
                name="rbac_grant_of_one_role",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")), name="rbac_grant_has_time"
            ),
        ]


class BaseRolePeriod(TenantModel):
    """What a member was, from when to when; no period runs while the member is deactivated. ``valid_until`` None: still so."""

    id = models.BigAutoField(primary_key=True)
    member = SameTenantForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20, choices=RoleCode.choices)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    changed_by = models.CharField(max_length=254)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "member"], condition=Q(valid_until=None), name="rbac_baserole_in_force"
            )
        ]
