"""Rights by the part of the program that they are about, in the words of the pages."""

from __future__ import annotations

from collections.abc import Iterable

_MODULES = {
    "pipeline": "Deals",
    "exports": "Exports",
    "alerts": "Alerts",
    "crm": "CRM",
    "tenant": "Settings",
    "people": "People",
    "roles": "Roles",
    "access": "Access review",
    "audit": "Audit log",
    "bookings": "Desk: bookings",
    "users": "Desk: customers",
    "providers": "Desk: providers",
    "complaints": "Desk: complaints",
    "ops": "Desk: queue, figures and staff",
    "system": "Desk: everything",
}


def by_module(codes: Iterable[str]) -> list[tuple[str, list[str]]]:
    """The codes grouped by module, modules in the order of the table above and unknown ones behind."""
    groups: dict[str, list[str]] = {}
    for code in sorted(codes, key=_place):
        groups.setdefault(module_of(code), []).append(code)
    return list(groups.items())


def module_of(code: str) -> str:
    """``crm.edit`` → CRM."""
    first = code.partition(".")[0]
    return _MODULES.get(first, first.replace("_", " ").capitalize())


def _place(code: str) -> tuple[int, str, str]:
    first = code.partition(".")[0]
    known = list(_MODULES)
    return known.index(first) if first in _MODULES else len(known), first, code
