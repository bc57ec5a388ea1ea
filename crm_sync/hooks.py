"""What upper rooms do after a sync, or after a CRM was removed: they register a function, and it is called here."""

from __future__ import annotations

from collections.abc import Callable

from crm_sync.models import SyncRun

AfterSync = Callable[[int, SyncRun], None]
AfterRemoval = Callable[[int], None]
_after_sync: list[AfterSync] = []
_after_removal: list[AfterRemoval] = []


def after_sync(hook: AfterSync) -> None:
    """Call ``hook(tenant_id, run)`` once all objects of a run are merged, outside every context: it opens its own.

    It runs at least once: a worker that dies in it leaves the run unfinished, and the next worker calls it again. Where
    ``run.touches_everything`` is false, ``crm_sync.selectors.touched_deal_ids`` says which deals changed.
    """
    _after_sync.append(hook)


def call_after_sync(tenant_id: int, run: SyncRun) -> None:
    """Call every hook in the order of the rooms."""
    for hook in _after_sync:
        hook(tenant_id, run)


def after_removal(hook: AfterRemoval) -> None:
    """Call ``hook(tenant_id)`` once the rows of a removed connection are gone, outside every context: it opens its own.

    It runs at least once, as for ``after_sync``.
    """
    _after_removal.append(hook)


def call_after_removal(tenant_id: int) -> None:
    """Call every hook in the order of the rooms."""
    for hook in _after_removal:
        hook(tenant_id)
