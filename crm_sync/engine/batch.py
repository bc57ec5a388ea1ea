"""One page of one object: staged, judged, merged and counted in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from crm_sync.connectors.base import ChildPage, Page
from crm_sync.engine import contract, links, merge, reject, remove, stage
from crm_sync.engine.scope import Scope
from crm_sync.models import Owner, SyncObjectResult
from crm_sync.owners import owners_match_members

NUL_NOTE = "NUL characters in texts were left out: the database cannot hold them."


@dataclass(frozen=True)
class Counts:
    """What became of the rows of a batch. Read = inserted + changed + unchanged + rejected + tombstones."""

    read: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.names()))

    @classmethod
    def names(cls) -> list[str]:
        """The counters, which are called ``rows_<name>`` in results and runs."""
        return [each.name for each in fields(cls)]


def load(scope: Scope, page: Page, result: SyncObjectResult) -> Counts:
    """Load a page without its children. Raises: PassingProblem, if it is cut; then nothing of it must be kept."""
    stage.create(scope)
    read = _staged(scope, page.chunks, page.rows, result)
    if result.since is not None:
        read += reject.take_back(scope)
    elif not result.is_first_load:
        remove.note_seen(scope)
    counts = _judge_and_merge(scope, read, result)
    stage.drop(scope)
    return counts + Counts(deleted=remove.listed(scope, page.gone))


def load_children(scope: Scope, child: ChildPage, result: SyncObjectResult) -> Counts:
    """Load all rows of a child object that belong to the parents named; what they had beside these leaves the mirror.

    ``scope`` is the child's, ``result`` the parent's: both tables were found empty, or neither.
    """
    stage.create(scope)
    read = _staged(scope, [child.content], child.rows, result)
    removed = 0 if result.is_first_load else remove.not_staged(scope, child.parents)
    counts = _judge_and_merge(scope, read, result)
    stage.drop(scope)
    return counts + Counts(deleted=removed)


def _staged(scope: Scope, chunks: Iterable[bytes], rows: int | None, result: SyncObjectResult) -> int:
    cleaned = stage.Cleaned(chunks)
    read = stage.fill(scope, cleaned, rows)
    if cleaned.removed and NUL_NOTE not in result.note:
        result.note = f"{result.note} {NUL_NOTE}".strip()
        result.save(update_fields=["note"])
    return read


def _judge_and_merge(scope: Scope, read: int, result: SyncObjectResult) -> Counts:
    rejected = reject.keep_aside(scope)
    reject.forgive(scope)
    marks, deleted = remove.tombstones(scope)
    contract.watch(scope)
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
