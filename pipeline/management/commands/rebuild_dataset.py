"""``manage.py rebuild_dataset --customer acme-corp [--dataset PATH] [--json]``."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError
from pipeline.datasets import all_datasets
from pipeline.models import BuildState, DatasetBuild
from pipeline.services import build_claim, build_run, dataset_of, dataset_rebuild
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("manage.py rebuild_dataset")


class Command(BaseCommand):
    help = "Rebuild a workspace's datasets from the mirrored CRM, all or one of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="the workspace's slug, such as acme-corp")
        parser.add_argument("--dataset", help="one path; default: all of them, in order")
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = tenant_by_slug(options["customer"], reason="rebuild datasets", acting_user=ACTOR)
            paths = [dataset_of(options["dataset"]).path] if options["dataset"] else list(all_datasets())
            builds = [_rebuild(tenant, path) for path in paths]
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=1 if refusal.status >= 500 else 2) from refusal
        self.stdout.write(_as_json(builds) if options["json"] else "\n".join(map(_line, builds)))


def _rebuild(tenant: Tenant, path: str) -> DatasetBuild:
    with context.tenant_wide(tenant.id):
        build = dataset_rebuild(tenant=tenant, path=path, acting_user=ACTOR)
        build_claim(build=build)
    return build_run(tenant_id=tenant.id, build_id=build.id)


def _line(build: DatasetBuild) -> str:
    return (
        f"{build.dataset}: {build.rows_read:,} deals read, {build.rows_written:,} rows written, "
        f"{build.rows_removed:,} removed in {build.seconds:.1f} s"
    )


def _as_json(builds: list[DatasetBuild]) -> str:
    return json.dumps(
        [
            {
                "dataset": build.dataset,
                "succeeded": build.state == BuildState.SUCCEEDED,
                "rows_read": build.rows_read,
                "rows_written": build.rows_written,
                "rows_removed": build.rows_removed,
                "seconds": round(build.seconds, 3),
            }
            for build in builds
        ],
        indent=2,
    )
