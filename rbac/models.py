"""The reporting tree, the groups that stand for roles, a workspace's own roles, and who holds which role from when to when."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from isolation.clock import StatementNow
from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
from rbac.models_breakglass import BreakGlass, BreakGlassMail  # noqa: F401  # as below
from rbac.models_catalogue import (  # noqa: F401  # Django finds models only through this module
    CatalogueMapping,
    CataloguePermission,
    CatalogueRole,
)
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem  # noqa: F401  # as above
from tenants.models import Member, RoleCode


class Group(TenantModel):
    """A named group of the workspace that stands for one role (``acme-corp-revops-admins`` → customer_admin)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    role = models.CharField(max_length=20, choices=RoleCode.choices)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="rbac_group_name")]


class ReportingLine(TenantModel):
    """Who reported to whom, directly, from ``valid_from`` until ``valid_until`` (None: still). At most one manager a member at a time.

    Ended, never rewritten: what the tree was at any instant can be asked (``rbac.tree``).
    """

    id = models.BigAutoField(primary_key=True)
    member = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    manager = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    valid_from = models.DateTimeField(db_default=StatementNow())
    valid_until = models.DateTimeField(null=True)
    set_by = models.CharField(max_length=254, db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "member"], condition=Q(valid_until=None), name="rbac_line_member"
            )
        ]


class ReportingPath(TenantModel):
    """The closure of the reporting lines in force: one row for every pair above/below, ``depth`` 0 being the member itself.

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


class ShareKind(models.TextChoices):
    """What can be shared. With an account come those of its deals and contacts that are its own owner's."""

    DEAL = "deal", "Deal"
    ACCOUNT = "account", "Account"


class Access(models.TextChoices):
    """How far a share goes: to see, or to see, change and share on."""

    VIEW = "view", "View"
    EDIT = "edit", "View and edit"


class Share(TenantModel):
    """A deal or account that a member sees besides the own rows, from ``valid_from`` until the earlier of ``valid_until`` and ``revoked_at``.

    ``with_team``: everyone below ``member`` in the reporting tree sees it too, whoever that is at the moment of asking. It names the
    CRM's row (``source``, ``external_id``), so it outlives the row's removal and return. Only the end is ever written later.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=8, choices=ShareKind.choices)
    source = models.CharField(max_length=12)
    external_id = models.CharField(max_length=40)
    label = models.CharField(max_length=200)
    member = SameTenantForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    with_team = models.BooleanField(default=False)
    access = models.CharField(max_length=4, choices=Access.choices)
    valid_from = models.DateTimeField(db_default=StatementNow())
    valid_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300)
    shared_by = models.CharField(max_length=254)
    shared_by_member = SameTenantForeignKey(Member, on_delete=models.PROTECT, related_name="+", null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=254, blank=True)
    revoked_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")), name="rbac_share_has_time"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "kind", "source", "external_id"], name="rbac_share_of_row")
        ]
