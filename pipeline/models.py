"""What the pipeline room works out from the mirror: scores, sums, recent changes, and the log of the builds that did it.

Scores, sums and changes are derived and merged in bulk, so they carry plain ids like the mirror itself; a build makes them anew.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import MirrorModel, TenantModel


class Band(models.TextChoices):
    """What a score means, by the workspace's thresholds; worst first."""

    CRITICAL = "critical", "Critical"
    AT_RISK = "at_risk", "At risk"
    MONITOR = "monitor", "Monitor"
    HEALTHY = "healthy", "Healthy"


class DealHealth(MirrorModel):
    """The score of one open deal. Its key is the deal's own: the column ``id`` holds the deal's internal id.

    ``score`` is 0 to 100 and the sum of the five ``…_points``; ``pipeline.health`` has the formula.
    Days count calendar days of the workspace's time zone, as of the build; ``days_needed`` is what the stages from the
    present one on still take at their benchmarks.
    """

    opportunity_id = models.BigIntegerField(primary_key=True, db_column="id")
    owner_id = models.BigIntegerField(null=True)
    score = models.SmallIntegerField()
    band = models.CharField(max_length=8, choices=Band.choices)
    pace_points = models.SmallIntegerField()
    activity_points = models.SmallIntegerField()
    close_points = models.SmallIntegerField()
    contact_points = models.SmallIntegerField()
    completeness_points = models.SmallIntegerField()
    days_in_stage = models.IntegerField()
    benchmark_days = models.IntegerField()
    days_since_activity = models.IntegerField()
    days_to_close = models.IntegerField(null=True)
    days_past_close = models.IntegerField()
    days_needed = models.IntegerField()
    contacts = models.IntegerField()
    is_stale_warning = models.BooleanField()
    is_stale_critical = models.BooleanField()
    is_past_close = models.BooleanField()
    computed_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "score", "opportunity_id"], name="pipeline_health_score"),
            models.Index(
                fields=["tenant", "days_in_stage", "opportunity_id"], name="pipeline_health_stage_age"
            ),
            models.Index(
                fields=["tenant", "owner_id", "score", "opportunity_id"], name="pipeline_health_owner"
            ),
        ]

    class Isolation:
        visible_through = "owner_id"
        shared_through = ("id", "deal", "deal_edit")


class PipelineSummary(MirrorModel):
    """Sums over the open deals of one owner in one stage, band and currency: what the home page adds up.

    ``weighted_minor`` is the amount times the probability: the deal's own, else its stage's.
    """

    id = models.BigAutoField(primary_key=True)
    owner_id = models.BigIntegerField(null=True)
    stage = models.CharField(max_length=120)
    band = models.CharField(max_length=8, choices=Band.choices)
    currency = models.CharField(max_length=3)
    deals = models.IntegerField()
    amount_minor = models.BigIntegerField()
    weighted_minor = models.BigIntegerField()
    stale_deals = models.IntegerField()
    stale_critical_deals = models.IntegerField()
    past_close_deals = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "owner_id", "stage", "band", "currency"],
                name="pipeline_summary_key",
                nulls_distinct=False,
            )
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "stage"], name="pipeline_summary_stage")]

    class Isolation:
        visible_through = "owner_id"


class RecentChange(MirrorModel):
    """A deal that came in or moved to another stage lately; the newest of each owner are kept.

    ``from_stage`` is empty for a new deal.
    """

    id = models.BigAutoField(primary_key=True)
    owner_id = models.BigIntegerField(null=True)
    opportunity_id = models.BigIntegerField()
    from_stage = models.CharField(max_length=120, blank=True)
    to_stage = models.CharField(max_length=120)
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "opportunity_id", "changed_at", "to_stage"], name="pipeline_change_key"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "-changed_at"], name="pipeline_change_newest")]

    class Isolation:
        visible_through = "owner_id"
        shared_through = ("opportunity_id", "deal", "deal_edit")


class DealWord(MirrorModel):
    """A word of a deal's or its account's name, for searching; ``pipeline.words`` says what a word is.

    A table of words with b-tree operators, because nothing that looks inside a text is leak-proof: behind row security no trigram
    or full-text index is used. ``id`` is the deal's internal id times 256 plus the word's place from 1 on, so that the key leads to
    a deal's words. Without a known owner ``owner_id`` is 0: then one list of owners reaches every word of a workspace by the index.
    """

    id = models.BigIntegerField(primary_key=True)
    owner_id = models.BigIntegerField()
    word = models.TextField(db_collation="C")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "owner_id", "word", "id"], name="pipeline_word_of_owner")
        ]

    class Isolation:
        visible_through = "owner_id"


class BuildKind(models.TextChoices):
    """Whether a build looked at everything or at what changed."""

    INCREMENTAL = "incremental", "What changed"
    FULL = "full", "Everything"


class BuildState(models.TextChoices):
    """How far a build got. ``queued`` rows are the outbox that the dispatcher empties."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"


class DatasetBuild(TenantModel):
    """One build of one dataset. ``lease_until`` says whether a worker still holds it; ``as_of`` is the workspace's day."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=BuildKind.choices)
    state = models.CharField(max_length=10, choices=BuildState.choices, default=BuildState.QUEUED)
    as_of = models.DateField(null=True)
    requested_by = models.CharField(max_length=254)
    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    rows_read = models.BigIntegerField(default=0)
    rows_written = models.BigIntegerField(default=0)
    rows_removed = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "dataset", "-requested_at"], name="pipeline_build_newest"),
            models.Index(fields=["state", "requested_at"], name="pipeline_build_waiting"),
        ]
