"""What pages of this room show, in words; here what all of them share."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from crm_sync.failures import WHAT_TO_DO, class_of
from pages.objects import Crumb
from tenants.models import Crm, Tenant


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, of which class it is, and what ends it."""

    title: str
    text: str
    what_to_do: str


def url(name: str, tenant: Tenant, **parts: object) -> str:
    """The address of a page of this room."""
    return reverse(f"crm_sync:{name}", kwargs={"tenant": tenant.slug, **parts})


def source_name(source: str) -> str:
    """A CRM as its maker writes it."""
    return Crm(source).label if source in Crm.values else source


def crumbs(tenant: Tenant, source: str = "") -> list[Crumb]:
    """The way back from a page of a connection; without ``source``, from the connection itself."""
    first = Crumb("CRM sync", url("index", tenant))
    return [first, Crumb(source_name(source), url("detail", tenant, source=source))] if source else [first]


def problem_of(title: str, code: str, message: str) -> Problem | None:
    """An error code with its sentence as a problem; None for no error."""
    found = class_of(code)
    return Problem(f"{title}: {found.label}.", message, WHAT_TO_DO[found]) if found else None
