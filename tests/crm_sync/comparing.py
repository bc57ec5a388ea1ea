"""A mirror against what it must hold, row for row and column for column. What that is, ``mirrored`` and ``hubspot.mirrored`` work out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_sync.models import Account, Activity, Contact, ContactRole, Opportunity, Owner, Stage, StageChange
from isolation import context
from isolation.models import MirrorModel
from tenants.models import Tenant

Rows = dict[str, dict[str, Any]]
_MODELS = (Stage, Owner, Account, Contact, Opportunity, ContactRole, StageChange, Activity)
_LEADS_TO: dict[str, type[MirrorModel]] = {
    "owner_id": Owner, "deal_owner_id": Owner, "account_id": Account, "contact_id": Contact, "opportunity_id": Opportunity,
    "stage_id": Stage,
}  # fmt: skip
_APART = {"id", "tenant_id", "source", "external_id", "custom", "member_id", "holder_origin", "first_seen_at"}


def mirror(tenant: Tenant, source: str) -> dict[type[MirrorModel], Rows]:
    """Everything the mirror holds; internal ids are shown as the external ids that they lead to."""
    with context.tenant_wide(tenant.id):
        rows = {model: list(model.objects.filter(source=source).values()) for model in _MODELS}
    keys = {model: {row["id"]: row["external_id"] for row in found} for model, found in rows.items()}
    return {model: {row["external_id"]: _shown(row, keys) for row in found} for model, found in rows.items()}


def _shown(row: dict[str, Any], keys: Mapping[Any, Mapping[int, str]]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in _APART}
    for name, model in _LEADS_TO.items():
        if shown.get(name) is not None:
            shown[name] = keys[model].get(shown[name], "a row that is not there")
    return shown


def assert_holds(wanted: dict[type[MirrorModel], Rows], tenant: Tenant, source: str) -> None:
    """The mirror holds just these rows with just these values."""
    found = mirror(tenant, source)
    for model, rows in wanted.items():
        lost, left = rows.keys() - found[model].keys(), found[model].keys() - rows.keys()
        assert (lost, left) == (set(), set()), (
            f"{model.__name__}: not in the mirror {lost}, not in the CRM {left}"
        )
        for key, row in rows.items():
            differing = _differing(found[model][key], row)
            assert not differing, (model.__name__, key, "mirror, CRM:", differing)


def _differing(held: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (held.get(name), row.get(name)) for name in {*held, *row} if held.get(name) != row.get(name)
    }
