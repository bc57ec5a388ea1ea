"""Bases of every table that belongs to a tenant."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, TypeVar, cast

from django.conf import settings
from django.db import models
from django.db.models import functions
from django.db.models.base import ModelBase

from isolation import context
from isolation.wall import SameTenantReference, SharedRights, TenantWall, Unmeasured

M = TypeVar("M", bound=models.Model)
NAME_LENGTH = 58  # PostgreSQL cuts names at 63 bytes and "_idx" must fit behind ours


class SameTenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]  # the stubs' parameters are not subscriptable at run time
    """A foreign key whose database constraint is on (tenant_id, column); ``TenantModel`` adds that constraint."""

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        kwargs |= {"db_constraint": False, "db_index": False}
        super().__init__(to, on_delete, **kwargs)


class TenantModelBase(ModelBase):
    """Adds the wall and the same-tenant keys to ``Meta.constraints`` of each concrete tenant model."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any
    ) -> TenantModelBase:
        model: Any = super().__new__(cls, name, bases, attrs, **kwargs)
        if not model._meta.abstract:
            model._meta.constraints = [*model._meta.constraints, *_constraints(model)]
            model._meta.original_attrs["constraints"] = model._meta.constraints
        return cast(TenantModelBase, model)


def constraint_name(*parts: str) -> str:
    """A readable constraint name that fits PostgreSQL's 63 bytes; a long one ends with a digest of itself."""
    name = "_".join(parts)
    if len(name) <= NAME_LENGTH:
        return name
    return f"{name[: NAME_LENGTH - 7]}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _constraints(model: Any) -> list[models.BaseConstraint]:
    declared = getattr(model, "Isolation", type("Isolation", (), {}))
    table = model._meta.db_table
    column = getattr(declared, "visible_through", "")
    if column and column != "id":
        column = model._meta.get_field(column).column
    wall = TenantWall(
        name=constraint_name(table, "wall"),
        visible_through=column,
        shared_through=getattr(declared, "shared_through", ()),
        append_only=getattr(declared, "append_only", False),
        person=getattr(declared, "person", ""),
    )
    keys = [field for field in model._meta.local_fields if isinstance(field, SameTenantForeignKey)]
    unmeasured = getattr(declared, "unmeasured", ())
    return [
        wall,
        *([Unmeasured(name=constraint_name(table, "unmeasured"), columns=unmeasured)] if unmeasured else []),
        *(
            SameTenantReference(name=constraint_name(table, f.name, "same_tenant"), field=f.name)
            for f in keys
        ),
    ]


class TenantManager(models.Manager[M]):
    """Names the tenant of the context in every query: the wall does not need it, the planner does."""

    def get_queryset(self) -> models.QuerySet[M]:
        queryset = super().get_queryset()
        tenant_id = context.current_tenant_id()
        return queryset if tenant_id is None else queryset.filter(tenant_id=tenant_id)


class TenantModel(models.Model, metaclass=TenantModelBase):
    """A row of one tenant. Subclasses may declare, beside their columns::

    class Isolation:
        visible_through = "owner"   # rows follow the CRM owner: a tenant_member sees only visible owners' rows
        shared_through = ("id", "deal", "deal_edit")  # column, and whose ids of isolation.actors.Shares open the row to see, to change
        append_only = True          # insert and read, never change
        person = "<SQL predicate>"  # rows that a signed-in person may read before a workspace is chosen
        unmeasured = ("name",)      # columns that name somebody: EXPLAIN must not tell which values other tenants have
    """

    tenant_id: int
    tenant = models.ForeignKey(
        settings.TENANT_MODEL,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )

    objects: ClassVar[TenantManager[Any]] = TenantManager()

    class Meta:
        abstract = True


class MirrorModel(TenantModel):
    """A tenant table that a CRM fills in bulk: no foreign keys at all, not even to the tenant (measured: 2–4 times slower merges)."""

    tenant_id: int
    tenant = models.ForeignKey(
        settings.TENANT_MODEL,
        on_delete=models.DO_NOTHING,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )

    class Meta:
        abstract = True


class PeriodicJob(models.Model):
    """When a regular job is due and whether somebody has it: the truth that the beat tick asks."""

    code = models.CharField(max_length=80, primary_key=True)
    due_at = models.DateTimeField(db_default=functions.Now())
    leased_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    runs = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            SharedRights(name="isolation_job_rights", login="SELECT, INSERT, UPDATE", platform="SELECT")
        ]


class Heartbeat(models.Model):
    """When a process of the runtime was last alive, by its name."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            SharedRights(name="isolation_heartbeat_rights", login="SELECT, INSERT, UPDATE", platform="SELECT")
        ]
