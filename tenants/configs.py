"""A workspace's JSON file in ``configs/``: a copy for people and version control. The truth is in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from django.conf import settings

from isolation import context
from tenants.models import Tenant
from tenants.selectors import settings_of


def config_path(slug: str) -> Path:
    """Where the workspace's JSON file lives."""
    return Path(settings.TENANT_CONFIG_DIR) / f"{slug}.json"


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to be written and put in its place; gone afterwards. Another one for everybody: two may write at once."""
    beside = path.with_name(f"{path.name}.{token_hex(4)}.new")
    try:
        yield beside
    finally:
        with suppress(OSError):
            beside.unlink()


def config_refresh(tenant_id: int) -> None:
    """Bring the file in line with the settings in force; what provisioning listed in it stays. Raises: OSError."""
    with context.tenant_wide(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        current = {"timezone": tenant.timezone, **settings_of(tenant_id).model_dump(mode="json")}
    path = config_path(tenant.slug)
    document = _found(path) | {"customer_id": tenant.slug, "customer_name": tenant.name, **current}
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged(path) as new:
        new.write_text(json.dumps(document, indent=2) + "\n")
        new.replace(path)


def _found(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
