"""The reporting tree and the groups that stand for roles."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
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
