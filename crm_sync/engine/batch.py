"""One page of one object: staged, judged, merged and counted in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, fields

from crm_sync.connectors.base import Page
from crm_sync.engine import links, merge, reject, remove, stage
from crm_sync.engine.scope import Scope
from crm_sync.models import Owner, SyncObjectResult
from crm_sync.owners import owners_match_members


@dataclass(frozen=True)
class Counts:
    """What became of the rows of a batch. Read = inserted + changed + unchanged + rejected + tombstones."""

    read: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0

    @classmethod
    def names(cls) -> list[str]:
        """The counters, which are called ``rows_<name>`` in results and runs."""
        return [each.name for each in fields(cls)]


def load(scope: Scope, page: Page, result: SyncObjectResult) -> Counts:
    """Load a page. Raises: PassingProblem, if it is cut; then nothing of it must be kept."""
    stage.create(scope)
    read = stage.fill(scope, page.chunks, page.rows)
    if result.since is not None:
        read += reject.take_back(scope)
    elif not result.is_first_load:
        remove.note_seen(scope)
    rejected = reject.keep_aside(scope)
    reject.forgive(scope)
    marks, deleted = remove.tombstones(scope)
    merged = _merge(scope, read - rejected - marks, result)
    if scope.spec.model is Owner:
        owners_match_members(scope.tenant_id)
    return Counts(read, merged.inserted, merged.changed, merged.unchanged, deleted, rejected)


def _merge(scope: Scope, staged: int, result: SyncObjectResult) -> merge.Merged:
    if not staged:
        return merge.Merged(0, 0, 0)
    if result.is_first_load and (inserted := merge.insert_all(scope)) is not None:
        return merge.Merged(inserted, 0, 0)
    repeated = stage.drop_repeated(scope)
    merged = merge.merge(scope, staged - repeated)
    if not result.is_first_load:
        links.follow_merge(scope)
    if result.since is not None:
        links.note_touched(scope)
    return merge.Merged(merged.inserted, merged.changed, merged.unchanged + repeated)
