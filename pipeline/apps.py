from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig


class PipelineConfig(AppConfig):
    name = "pipeline"

    def ready(self) -> None:
        from crm_sync import hooks
        from isolation import jobs
        from pipeline import events, metrics, permissions, provisioning  # noqa: F401  # importing registers them
        from pipeline.datasets import pipeline_health_summary, recent_stage_changes, search_words  # noqa: F401  # as above
        from pipeline.parts import crm_owners_of
        from pipeline.services import BUILDS_JOB, refresh_after_removal, refresh_after_sync
        from pipeline.tasks import builds
        from rbac.parts import register_person_part

        register_person_part(crm_owners_of)
        jobs.register(jobs.Periodic(BUILDS_JOB, builds, every=timedelta(minutes=1)))
        hooks.after_sync(refresh_after_sync)
        hooks.after_removal(refresh_after_removal)
