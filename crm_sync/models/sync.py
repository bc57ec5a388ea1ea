"""Connections to CRMs, their schedules, and what each run did."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import MirrorModel, SameTenantForeignKey, TenantModel


class ConnectionState(models.TextChoices):
    """Whether a connection can be used."""

    NEW = "new", "Not set up"
    ACTIVE = "active", "Connected"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"


class RunState(models.TextChoices):
    """How far a run got. ``queued`` rows are the outbox that the dispatcher empties."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"


ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)


class RunTrigger(models.TextChoices):
    """What asked for a run."""

    SCHEDULE = "schedule", "Schedule"
    MANUAL = "manual", "By hand"
    WEBHOOK = "webhook", "A notice of the CRM"


class RunKind(models.TextChoices):
    """What a run does."""

    SYNC = "sync", "Sync"  # what changed, or everything
    REFRESH = "refresh", "Calculated fields"  # fields whose changes no stamp shows
    CHECK = "check", "Comparison"  # the mirror against the CRM, month by month, and healing what differs
    NOTICE = "notice", "Notices"  # the rows that webhooks named


class SignIn(models.TextChoices):
    """How a connection signs in to its CRM."""

    CLIENT_CREDENTIALS = "client_credentials", "Client credentials"  # for servers: the app itself
    OAUTH = "oauth", "A person's consent"  # authorization code with PKCE, then refresh tokens
    TOKEN = "token", "Private-app token"


class Connection(TenantModel):
    """One CRM of one workspace. Secrets and tokens are encrypted at rest (``crm_sync.secrets``).

    ``tokens_encrypted`` is the JSON that a consent gave; whoever refreshes it holds ``tokens_busy_until`` and counts
    ``tokens_version`` up, so that no two workers refresh one token at once. ``reserve_percent`` of the CRM's daily calls are
    left to the workspace's other programs. ``pace`` is what reading this CRM was measured to take (``engine.pace``).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=12)
    state = models.CharField(max_length=16, choices=ConnectionState.choices, default=ConnectionState.NEW)
    sign_in = models.CharField(
        max_length=20,
        choices=SignIn.choices,
        default=SignIn.CLIENT_CREDENTIALS,
        db_default=SignIn.CLIENT_CREDENTIALS,
    )
    login_url = models.CharField(max_length=300, blank=True)
    client_id = models.CharField(max_length=200, blank=True)
    secret_encrypted = models.BinaryField(default=bytes)
    tokens_encrypted = models.BinaryField(default=bytes)
    tokens_version = models.PositiveIntegerField(default=0)
    tokens_busy_until = models.DateTimeField(null=True)
    webhook_secret_encrypted = models.BinaryField(default=bytes)
    account_label = models.CharField(
        max_length=200, blank=True
    )  # the organisation or portal, as the CRM calls it
    portal_id = models.CharField(max_length=40, blank=True)
    reserve_percent = models.PositiveSmallIntegerField(default=20, db_default=20)
    pace = models.JSONField(default=dict)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    last_synced_at = models.DateTimeField(null=True)  # end of the last run that succeeded
    api_calls_used = models.IntegerField(null=True)  # of the CRM's daily allowance, as it said last
    api_calls_limit = models.IntegerField(null=True)
    api_calls_seen_at = models.DateTimeField(null=True)
    refreshed_at = models.DateTimeField(null=True)  # end of the last refresh of calculated fields
    checked_at = models.DateTimeField(null=True)  # end of the last comparison with the CRM, row by row

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "source"], name="crm_sync_connection_source")
        ]


class SyncSchedule(TenantModel):
    """When a connection is due; the dispatcher asks this table."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    every_minutes = models.PositiveIntegerField()
    due_at = models.DateTimeField(db_default=Now())
    is_paused = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "connection"], name="crm_sync_schedule_once")
        ]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="crm_sync_schedule_due")]


class SyncCursor(TenantModel):
    """How far one object of a connection has been read: committed in the transaction that merges the rows.

    ``absent`` are mapped fields that the CRM did not show then. When one comes back its values of all rows are news.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    object_name = models.CharField(max_length=60)
    watermark = models.DateTimeField(null=True)
    absent = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "object_name"], name="crm_sync_cursor_object"
            )
        ]


class SyncRun(TenantModel):
    """One run. Totals are the sums over its objects.

    A queued run may be taken from ``ready_at`` on (later than the request where it waits to be tried again). Whoever works on
    it holds ``lease_token`` until ``lease_until`` and renews it; a run whose lease ran out is taken up where it stopped.
    ``touches_everything`` is set by runs that read an object from its beginning; the others list their deals in TouchedDeal.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    trigger = models.CharField(max_length=10, choices=RunTrigger.choices)
    kind = models.CharField(
        max_length=10, choices=RunKind.choices, default=RunKind.SYNC, db_default=RunKind.SYNC
    )
    is_full = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    requested_by = models.CharField(max_length=254)
    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    touches_everything = models.BooleanField(default=False)
    rows_read = models.BigIntegerField(default=0)
    rows_inserted = models.BigIntegerField(default=0)
    rows_changed = models.BigIntegerField(default=0)
    rows_unchanged = models.BigIntegerField(default=0)
    rows_deleted = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection"],
                condition=Q(state__in=ACTIVE_STATES),
                name="crm_sync_run_one_active",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-requested_at"], name="crm_sync_run_newest"),
            models.Index(
                fields=["ready_at"], condition=Q(state__in=ACTIVE_STATES), name="crm_sync_run_waiting"
            ),
        ]

    @property
    def is_active(self) -> bool:
        """Whether the run is not over yet."""
        return self.state in ACTIVE_STATES


class SyncObjectResult(TenantModel):
    """What a run did with one object, and where it stands: committed with the rows, so that a killed run goes on from here.

    ``since`` is the watermark that the run started from (null: from the beginning), ``covered_until`` the one it will leave;
    ``place`` is the connector's own note of the next page. A first load finds the mirror of the object empty. ``absent`` are the
    mapped fields that the CRM did not show when the object was begun.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = SameTenantForeignKey(SyncRun, on_delete=models.CASCADE, related_name="results")
    object_name = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()
    is_begun = models.BooleanField(default=False)
    is_done = models.BooleanField(default=False)
    is_first_load = models.BooleanField(default=False)
    since = models.DateTimeField(null=True)
    covered_until = models.DateTimeField(null=True)
    absent = models.JSONField(default=list)
    place = models.TextField(blank=True)
    note = models.TextField(blank=True)
    rows_expected = models.BigIntegerField(null=True)
    rows_read = models.BigIntegerField(default=0)
    rows_inserted = models.BigIntegerField(default=0)
    rows_changed = models.BigIntegerField(default=0)
    rows_unchanged = models.BigIntegerField(default=0)
    rows_deleted = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "run", "object_name"], name="crm_sync_result_object")
        ]


class RejectedRow(TenantModel):
    """A row of the CRM that could not be used: which field, why, and the row itself, so that nothing is lost."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = SameTenantForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    run = SameTenantForeignKey(SyncRun, on_delete=models.CASCADE, related_name="rejected_rows")
    object_name = models.CharField(max_length=60)
    external_id = models.CharField(max_length=40)
    field = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, default="type", db_default="type")  # a ViolationKind
    value = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=300)
    raw = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    rejected_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection", "object_name", "external_id"], name="crm_sync_rejected_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "-rejected_at"], name="crm_sync_rejected_newest")]


class SeenRow(MirrorModel):
    """An id that a full run has read so far; at its end the mirror's other rows are gone from the CRM."""

    id = models.BigAutoField(primary_key=True)
    run_id = models.UUIDField()
    object_name = models.CharField(max_length=60)
    external_id = models.CharField(max_length=40)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "run_id", "object_name", "external_id"], name="crm_sync_seen_once"
            )
        ]


class TouchedDeal(MirrorModel):
    """A deal that an incremental run changed, or whose history, contacts or activities it changed."""

    id = models.BigAutoField(primary_key=True)
    run_id = models.UUIDField()
    opportunity_id = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "run_id", "opportunity_id"], name="crm_sync_touched_once"
            )
        ]


class NoticedRow(MirrorModel):
    """A row that a webhook named and no run has read since. ``noticed_at`` moves with each notice; a run takes what it read."""

    id = models.BigAutoField(primary_key=True)
    connection_id = models.UUIDField()
    object_name = models.CharField(max_length=60)
    external_id = models.CharField(max_length=40)
    noticed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "connection_id", "object_name", "external_id"], name="crm_sync_noticed_once"
            )
        ]


class ArchivedRow(MirrorModel):
    """A row that the CRM's list of archived rows held when it was last read: one that is no longer on it was restored, or is gone."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=12)
    object_name = models.CharField(max_length=60)
    external_id = models.CharField(max_length=40)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "source", "object_name", "external_id"], name="crm_sync_archived_once"
            )
        ]


def archived_cursor(object_name: str) -> str:
    """The name under which a SyncCursor keeps when the list of an object's archived rows was last read."""
    return f"{object_name}, archived"
