"""What is few and read whole each time: owners and deal stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from crm_sync.connectors.base import ObjectSpec, Page
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.client import Client
from crm_sync.connectors.hubspot.records import Paging, lines

PLACE = "all"
_OWNERS_A_CALL = "500"
_Row = dict[str, str]


class _Owner(msgspec.Struct):
    id: str
    email: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    createdAt: str = ""
    updatedAt: str = ""
    archived: bool = False


class _Owners(msgspec.Struct):
    results: list[_Owner]
    paging: Paging | None = None


class _Metadata(msgspec.Struct):
    isClosed: str = "false"
    probability: str = ""


class _Stage(msgspec.Struct):
    id: str
    label: str = ""
    displayOrder: int = 0
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    createdAt: str = ""
    updatedAt: str = ""
    archived: bool = False


class _Pipeline(msgspec.Struct):
    id: str
    label: str = ""
    stages: list[_Stage] = []


class _Pipelines(msgspec.Struct):
    results: list[_Pipeline]


def page(client: Client, spec: ObjectSpec, held: Sequence[str]) -> Page:
    """All of an object's rows. Those of ``held``, the ids that the mirror has, that HubSpot no longer knows are gone."""
    rows = list(rows_of(client, spec))
    found = {row["id"] for row in rows}
    content = lines(spec.fields, ([row.get(name, "") for name in spec.fields] for row in rows))
    gone = [each for each in held if each not in found]
    return Page(iter([content]), after="", rows=len(rows), rows_in_all=len(rows), gone=gone)


def rows_of(client: Client, spec: ObjectSpec) -> Iterator[_Row]:
    """The rows of owners or stages, as {field: text}."""
    return _owners(client) if spec.name == objects.OWNERS else _stages(client)


def _owners(client: Client) -> Iterator[_Row]:
    # Who has left is listed apart. Whoever changes lists between the two calls is met twice; the engine keeps the newer row.
    for archived in ("false", "true"):
        after = ""
        while True:
            more = {"after": after} if after else {}
            answer = client.get("/crm/v3/owners", _Owners, limit=_OWNERS_A_CALL, archived=archived, **more)
            yield from map(_owner, answer.results)
            after = answer.paging.next.after if answer.paging and answer.paging.next else ""
            if not after:
                break


def _owner(owner: _Owner) -> _Row:
    return {
        "id": owner.id, "updatedAt": owner.updatedAt or owner.createdAt, "email": owner.email or "",
        "name": " ".join(filter(None, (owner.firstName, owner.lastName))), "active": "false" if owner.archived else "true",
    }  # fmt: skip


def _stages(client: Client) -> Iterator[_Row]:
    for pipeline in client.get("/crm/v3/pipelines/deals", _Pipelines).results:
        for stage in pipeline.stages:
            yield _stage(pipeline, stage)


def _stage(pipeline: _Pipeline, stage: _Stage) -> _Row:
    percent = _percent(stage.metadata.probability)
    is_closed = stage.metadata.isClosed.lower() == "true"
    return {
        "id": stage.id, "updatedAt": stage.updatedAt or stage.createdAt, "label": stage.label, "pipeline": pipeline.label,
        "pipeline_id": pipeline.id, "position": str(stage.displayOrder), "probability": percent,
        "active": _flag(not stage.archived), "closed": _flag(is_closed), "won": _flag(is_closed and percent == "100"),
    }  # fmt: skip


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _percent(probability: str) -> str:
    try:
        return str(round(float(probability) * 100)) if probability else ""
    except (ValueError, OverflowError):
        return probability
