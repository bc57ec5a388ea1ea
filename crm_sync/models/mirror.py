"""The mirror: one row for each row of the CRM, keyed by (tenant, source, external_id).

No foreign keys: a CRM's references arrive in any order and may dangle. Each row keeps the CRM's id of what it points at and
the internal id that the merge resolved within the tenant (null while it dangles). Joins go on (tenant_id, id). A partial index
over the dangling rows, which are few, is how they are found when the missing row arrives.
Money is in minor units, because numeric comparison is not leak-proof and would lose its index behind row security. Text has no
length: what a CRM lets people write is kept whole.
"""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from isolation.models import MirrorModel


def mirror_key(name: str) -> models.UniqueConstraint:
    """The key that the merge works on."""
    return models.UniqueConstraint(fields=["tenant", "source", "external_id"], name=name)


def dangling(reference: str, name: str) -> models.Index:
    """Finds the rows whose ``reference`` points at a row that the mirror does not hold (yet)."""
    condition = Q(**{f"{reference}_id": None}) & ~Q(**{f"{reference}_external_id": ""})
    return models.Index(fields=["tenant", f"{reference}_external_id"], condition=condition, name=name)


class MirrorColumns(MirrorModel):
    """``modified_at`` is the CRM's own stamp of the row's last change; ``custom`` holds mapped fields without a column."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=12)
    external_id = models.CharField(max_length=40)
    modified_at = models.DateTimeField()
    custom = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        abstract = True


class HolderOrigin(models.TextChoices):
    """Why an owner's deals are a member's: the same e-mail, somebody's choice, or passed on by one who left."""

    EMAIL = "", "Same e-mail"
    CHOSEN = "chosen", "Chosen"
    PASSED_ON = "passed_on", "Passed on"


class Owner(MirrorColumns):
    """A CRM user who owns deals; ``member_id`` is the member whose deals they are: by e-mail, unless somebody said otherwise."""

    email = models.CharField(blank=True)
    name = models.CharField()
    is_active = models.BooleanField(default=True)
    manager_external_id = models.CharField(max_length=40, blank=True)
    member_id = models.UUIDField(null=True)
    holder_origin = models.CharField(
        max_length=10, blank=True, db_default=HolderOrigin.EMAIL, choices=HolderOrigin.choices
    )

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_owner_key")]
        indexes: ClassVar = [models.Index(fields=["tenant", "member_id"], name="crm_sync_owner_member")]

    class Isolation:
        visible_through = "id"
        shared_through = ("id", "owner", "owner")
        unmeasured = ("email", "name")

    def __str__(self) -> str:
        return self.name


class Stage(MirrorColumns):
    """A step of a pipeline, as the CRM is set up; everybody of the workspace may know them."""

    name = models.CharField()
    pipeline = models.CharField(blank=True)
    pipeline_external_id = models.CharField(max_length=40, blank=True)
    position = models.IntegerField(null=True)
    probability_percent = models.SmallIntegerField(null=True)
    forecast_category = models.CharField(blank=True)
    is_active = models.BooleanField(default=True)
    is_closed = models.BooleanField(default=False)
    is_won = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_stage_key")]

    def __str__(self) -> str:
        return self.name


class OwnedColumns(MirrorColumns):
    """A row that belongs to a CRM owner and is seen by those who may see that owner's rows."""

    owner_external_id = models.CharField(max_length=40, blank=True)
    owner_id = models.BigIntegerField(null=True)

    class Meta:
        abstract = True


class Account(OwnedColumns):
    """A company that deals are made with."""

    name = models.CharField()
    industry = models.CharField(blank=True)
    website = models.CharField(blank=True)
    country = models.CharField(blank=True)
    employees = models.IntegerField(null=True)
    created_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_account_key")]

    class Isolation:
        visible_through = "owner_id"
        shared_through = ("id", "account", "account_edit")
        unmeasured = ("name", "website")

    def __str__(self) -> str:
        return self.name


class Contact(OwnedColumns):
    """A person at an account."""

    account_external_id = models.CharField(max_length=40, blank=True)
    account_id = models.BigIntegerField(null=True)
    name = models.CharField()
    title = models.CharField(blank=True)
    email = models.CharField(blank=True)
    phone = models.CharField(blank=True)

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_contact_key")]
        indexes: ClassVar = [
            # For those who are shared an account, as with deals.
            models.Index(fields=["tenant", "account_id"], name="crm_sync_contact_of_account"),
            dangling("account", "crm_sync_contact_dangling"),
        ]

    class Isolation:
        visible_through = "owner_id"
        shared_through = ("id", "contact", "contact_edit")
        unmeasured = ("name", "email", "phone")


class Opportunity(OwnedColumns):
    """A deal. ``account_name`` repeats the account's name: the deals page then needs no join at a million rows.

    ``first_seen_at`` is when the mirror first held the row. Where a CRM gives a stage by its id, ``stage``, ``pipeline``, ``is_closed`` and ``is_won`` repeat the Stage; elsewhere ``stage_id`` is null.
    """

    name = models.CharField()
    account_external_id = models.CharField(max_length=40, blank=True)
    account_id = models.BigIntegerField(null=True)
    account_name = models.CharField(blank=True)
    pipeline = models.CharField(blank=True, db_default="")
    stage = models.CharField(blank=True)
    stage_external_id = models.CharField(max_length=40, blank=True, db_default="")
    stage_id = models.BigIntegerField(null=True)
    amount_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    probability_percent = models.SmallIntegerField(null=True)
    close_on = models.DateField(null=True)
    is_closed = models.BooleanField(default=False)
    is_won = models.BooleanField(default=False)
    kind = models.CharField(blank=True)
    lead_source = models.CharField(blank=True)
    next_step = models.CharField(blank=True)
    forecast_category = models.CharField(blank=True)
    created_at = models.DateTimeField()
    stage_changed_at = models.DateTimeField(null=True)
    last_activity_on = models.DateField(null=True)
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_opportunity_key")]
        # The three orders that the deals page pages by; each costs the first load about a twentieth of its time.
        indexes: ClassVar = [
            models.Index(fields=["tenant", "is_closed", "close_on", "id"], name="crm_sync_deal_by_close"),
            models.Index(
                fields=["tenant", "is_closed", "amount_minor", "id"], name="crm_sync_deal_by_amount"
            ),
            models.Index(
                fields=["tenant", "owner_id", "is_closed", "close_on", "id"], name="crm_sync_deal_by_owner"
            ),
            # Whoever is shared an account sees its deals: found at every request of theirs.
            models.Index(fields=["tenant", "account_id"], name="crm_sync_deal_of_account"),
            dangling("account", "crm_sync_deal_dangling"),
            dangling("stage", "crm_sync_deal_no_stage"),
        ]

    class Isolation:
        visible_through = "owner_id"
        shared_through = ("id", "deal", "deal_edit")

    def __str__(self) -> str:
        return self.name


class DealChildColumns(MirrorColumns):
    """A row about a deal: seen by those who see the deal, so it carries the deal's owner."""

    opportunity_external_id = models.CharField(max_length=40, blank=True)
    opportunity_id = models.BigIntegerField(null=True)
    deal_owner_id = models.BigIntegerField(null=True)

    class Meta:
        abstract = True


class ContactRole(DealChildColumns):
    """What a contact is to a deal."""

    contact_external_id = models.CharField(max_length=40, blank=True)
    contact_id = models.BigIntegerField(null=True)
    role = models.CharField(blank=True)
    is_primary = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_contactrole_key")]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "opportunity_id"], name="crm_sync_role_deal"),
            dangling("opportunity", "crm_sync_role_dangling"),
            dangling("contact", "crm_sync_role_no_contact"),
        ]

    class Isolation:
        visible_through = "deal_owner_id"
        shared_through = ("opportunity_id", "deal", "deal_edit")


class StageChange(DealChildColumns):
    """One entry of a deal's history: stage, amount and close date as they were from ``changed_at`` on.

    Where a CRM gives the stage by its id, ``stage`` and ``probability_percent`` repeat the Stage; elsewhere ``stage_id`` is null.
    """

    stage = models.CharField()
    stage_external_id = models.CharField(max_length=40, blank=True, db_default="")
    stage_id = models.BigIntegerField(null=True)
    amount_minor = models.BigIntegerField(null=True)
    close_on = models.DateField(null=True)
    probability_percent = models.SmallIntegerField(null=True)
    changed_at = models.DateTimeField()
    changed_by_external_id = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_stagechange_key")]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "opportunity_id", "-changed_at"], name="crm_sync_change_deal"),
            dangling("opportunity", "crm_sync_change_dangling"),
            dangling("stage", "crm_sync_change_no_stage"),
        ]

    class Isolation:
        visible_through = "deal_owner_id"
        shared_through = ("opportunity_id", "deal", "deal_edit")


class Activity(DealChildColumns):
    """A task, event, call, meeting, mail or note of the CRM. ``opportunity_external_id`` is what it is about: a deal, or an account (never resolved)."""

    kind = models.CharField(max_length=8)  # "task", "event", "call", "meeting", "email" or "note"
    subject = models.CharField(blank=True)
    status = models.CharField(blank=True)
    happens_on = models.DateField(null=True)
    is_closed = models.BooleanField(default=False)
    owner_external_id = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints: ClassVar = [mirror_key("crm_sync_activity_key")]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "opportunity_id", "-happens_on"], name="crm_sync_activity_deal"),
            dangling("opportunity", "crm_sync_activity_dangling"),
        ]

    class Isolation:
        visible_through = "deal_owner_id"
        shared_through = ("opportunity_id", "deal", "deal_edit")
