"""The log. The program's roles may add and read rows, never change or remove them."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from audit.registry import sentence_of
from isolation.ids import uuid7
from isolation.models import TenantModel
from isolation.wall import SharedRights


class EventColumns(models.Model):
    """What every record says: when, who, what, to what, and the facts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Not db_default: that makes Django ask for the value back, and a role that may only insert may not read.
    at = models.DateTimeField(default=timezone.now)
    code = models.CharField(max_length=80)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=80, blank=True)
    target_label = models.CharField(max_length=254, blank=True)
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        abstract = True

    @property
    def sentence(self) -> str:
        """What happened, as a person would say it."""
        return sentence_of(self.code, self.facts, self.target_label)


class Event(EventColumns, TenantModel):
    """Something that happened in one workspace."""

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-at", "-id"], name="audit_event_newest"),
            models.Index(fields=["tenant", "code", "-at", "-id"], name="audit_event_by_code"),
            models.Index(fields=["tenant", "target_kind", "target_id", "-at"], name="audit_event_by_target"),
        ]

    class Isolation:
        append_only = True


class PlatformEvent(EventColumns):
    """Something that happened outside every workspace: sign-ins, keys, accounts."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-at", "-id"], name="audit_platform_newest")]
        constraints: ClassVar = [
            SharedRights(name="audit_platform_rights", platform="SELECT, INSERT", accounts="INSERT")
        ]


class PlatformEntry(models.Model):
    """One entry into the platform context, with its reason."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254)
    reason = models.CharField(max_length=300)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-at", "-id"], name="audit_entry_newest")]
        constraints: ClassVar = [SharedRights(name="audit_entry_rights", platform="SELECT, INSERT")]
