"""The datasets of a workspace: what is worked out from the mirror, by path. One file a dataset; importing it registers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from tenants.settings_schema import TenantSettings


@dataclass(frozen=True)
class BuildScope:
    """What a build may look at. ``today`` is the workspace's day; ``deal_ids`` None means everything."""

    tenant_id: int
    zone: str
    today: date
    settings: TenantSettings
    deal_ids: Sequence[int] | None = None


@dataclass(frozen=True)
class BuildCounts:
    """What a build did: deals looked at, rows inserted or changed, rows taken away."""

    read: int = 0
    written: int = 0
    removed: int = 0


@dataclass(frozen=True)
class Dataset:
    """``build`` brings the dataset up to date in the tenant-wide context of ``scope``; it is safe to run twice."""

    path: str
    sentence: str
    build: Callable[[BuildScope], BuildCounts]


_registry: dict[str, Dataset] = {}


def register(dataset: Dataset) -> None:
    """Add a dataset; builds run in the order of registration. Raises: ValueError, if the path is taken."""
    if _registry.setdefault(dataset.path, dataset) != dataset:
        raise ValueError(f"Dataset {dataset.path} is registered twice.")


def all_datasets() -> dict[str, Dataset]:
    """Every registered dataset by path."""
    return dict(_registry)
