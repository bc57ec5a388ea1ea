"""The workspace and the people in it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
from isolation.wall import THIS_PERSON, TenantWall, Unmeasured


class Tier(models.TextChoices):
    """What the customer pays for; schedules and limits follow from it."""

    STARTER = "starter"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


class Crm(models.TextChoices):
    """Where the customer's deals live."""

    SALESFORCE = "salesforce", "Salesforce"
    HUBSPOT = "hubspot", "HubSpot"


class TenantKind(models.TextChoices):
    """A paying customer or a design partner who tries the product."""

    CUSTOMER = "customer"
    PARTNER = "partner"


class RoleCode(models.TextChoices):
    """What a member is in one workspace; ``rbac.roles`` says what each may do. The later eight are the customer desk's."""

    CUSTOMER_ADMIN = "customer_admin", "Admin"
    REVOPS_ANALYST = "revops_analyst", "Analyst"
    SALES_MANAGER = "sales_manager", "Manager"
    SALES_REP = "sales_rep", "Rep"
    DESIGN_PARTNER = "design_partner", "Design partner"
    SUPER_ADMIN = "super_admin", "Super admin"
    DESK_ADMIN = "admin", "Desk admin"
    DESK_MANAGER = "manager", "Desk manager"
    SENIOR_AGENT = "senior_agent", "Senior agent"
    AGENT = "agent", "Agent"
    SUPPORT = "support", "Support"
    DESK_ANALYST = "analyst", "Desk analyst"
    VIEWER = "viewer", "Viewer"


class Tenant(models.Model):
    """One workspace. Its row is seen by its members and by nobody else's."""

    id = models.BigAutoField(primary_key=True)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=TenantKind.choices, default=TenantKind.CUSTOMER)
    tier = models.CharField(max_length=12, choices=Tier.choices)
    crm = models.CharField(max_length=12, choices=Crm.choices)
    timezone = models.CharField(max_length=64, default="UTC")
    currency = models.CharField(max_length=3, default="USD")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            TenantWall(
                name="tenants_tenant_wall",
                tenant_column="id",
                person="id IN (SELECT tenant_id FROM tenants_member)",
            ),
            Unmeasured(name="tenants_tenant_unmeasured", columns=("slug", "name")),
        ]

    def __str__(self) -> str:
        return self.name


class Member(TenantModel):
    """A person in a workspace. Name and e-mail are kept here too: a workspace's roles never reach the table of accounts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=20, choices=RoleCode.choices)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(db_default=Now())
    deactivated_at = models.DateTimeField(null=True)
    deactivation_reason = models.CharField(max_length=300, blank=True)
    last_seen_on = models.DateField(null=True)
    """The last day, in the workspace's zone, on which the person opened this workspace; other workspaces do not count."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "user"], name="tenants_member_once"),
            models.UniqueConstraint(fields=["tenant", "email"], name="tenants_member_email"),
        ]
        indexes: ClassVar = [models.Index(fields=["user"], name="tenants_member_of_user")]

    class Isolation:
        person = f"user_id = {THIS_PERSON}"
        unmeasured = ("email", "name")

    def __str__(self) -> str:
        return self.name or self.email


class SettingsVersion(TenantModel):
    """One saved state of a workspace's settings; the highest version is in force."""

    id = models.BigAutoField(primary_key=True)
    version = models.PositiveIntegerField()
    data = models.JSONField(encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "version"], name="tenants_settings_version")
        ]


class Invitation(TenantModel):
    """A mail owed to a new member: the link to set a password. ``next_attempt_at`` is the lease of a try under way, too."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    member = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    requested_by = models.CharField(max_length=254)
    requested_at = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(sent_at=None), name="tenants_invitation_due")
        ]
