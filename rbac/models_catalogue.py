"""The built-in roles and permissions as tables that belong to no workspace: for reports, SQL users and tools that follow keys.

The code (``rbac.roles`` and the permission registry) decides and never asks these tables; ``rbac.catalogue`` fills them.
The program's login may read them, only the platform role may write.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from isolation.wall import SharedRights

_LOGIN, _PLATFORM = "SELECT", "SELECT, INSERT, UPDATE, DELETE"


class CatalogueRow(models.Model):
    """What the three tables share."""

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True

    @classmethod
    def columns(cls) -> list[str]:
        """The attributes that hold what the table says, keys included."""
        return [field.attname for field in cls._meta.concrete_fields if field.column]

    def values(self) -> tuple[Any, ...]:
        """The row as a tuple, in the order of ``columns``."""
        return tuple(getattr(self, name) for name in self.columns())


class CatalogueRole(CatalogueRow):
    """A built-in role; ``level`` 1 is the highest, ``is_desk`` marks the eight of the customer desk."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=80)
    level = models.PositiveSmallIntegerField()
    is_desk = models.BooleanField()
    sees_everything = models.BooleanField()

    class Meta:
        constraints: ClassVar = [SharedRights(name="rbac_role_rights", login=_LOGIN, platform=_PLATFORM)]

    def __str__(self) -> str:
        return self.code


class CataloguePermission(CatalogueRow):
    """A registered permission; ``is_desk`` marks the 31 of the customer desk. ``sentence`` completes "This lets a member …"."""

    code = models.CharField(max_length=80, primary_key=True)
    module = models.CharField(max_length=80)
    sentence = models.CharField(max_length=300)
    is_desk = models.BooleanField()

    class Meta:
        constraints: ClassVar = [
            SharedRights(name="rbac_permission_rights", login=_LOGIN, platform=_PLATFORM)
        ]

    def __str__(self) -> str:
        return self.code


class CatalogueMapping(CatalogueRow):
    """A role holds a permission."""

    pk = models.CompositePrimaryKey("role_id", "permission_id")
    role = models.ForeignKey(CatalogueRole, on_delete=models.CASCADE, related_name="+", db_index=False)
    permission = models.ForeignKey(CataloguePermission, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints: ClassVar = [SharedRights(name="rbac_mapping_rights", login=_LOGIN, platform=_PLATFORM)]

    def __str__(self) -> str:
        return f"{self.role_id}: {self.permission_id}"
