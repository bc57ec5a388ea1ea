"""The lines of the lists on a workspace's page."""

from __future__ import annotations

from dataclasses import dataclass

from pages.objects import Action, Badge


@dataclass(frozen=True)
class RunRow:
    """One sync run."""

    state: Badge
    when: str
    what: str
    by: str
    rows: str
    problem: str


@dataclass(frozen=True)
class PersonRow:
    """One member, and the form that gives the person a key."""

    name: str
    email: str
    role: str
    state: Badge
    url: str
    issue_url: str


@dataclass(frozen=True)
class KeyRow:
    """One access key; never the key itself."""

    hint: str
    owner: str
    created: str
    used: str
    revoke: Action | None
    state: Badge
