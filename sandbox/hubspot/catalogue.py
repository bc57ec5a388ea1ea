"""What a portal is set up with: properties, pipelines, labels. Kept in memory too, because every call asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from sandbox.hubspot.errors import HubSpotError
from sandbox.hubspot.kinds import KINDS, PRIMARY, UNLABELLED, Kind, defined_type, has_primary, table_of
from sandbox.hubspot.pipelines import Body
from sandbox.hubspot.properties import CALCULATED, Definition
from sandbox.hubspot.store import PortalStore, encode


@dataclass(frozen=True)
class Label:
    """A label of the portal's own for associations between two kinds, with a type number for either direction."""

    number: int
    left: str
    right: str
    left_type: int
    right_type: int
    left_label: str
    right_label: str
    name: str


@dataclass(frozen=True)
class AssociationType:
    """How an association shows from one side."""

    type_id: int
    category: str
    label: str | None
    name: str

    def shown(self) -> dict[str, object]:
        """As the v4 API shows it."""
        return {"category": self.category, "typeId": self.type_id, "label": self.label}


class Catalogue:
    """The set-up of one portal."""

    def __init__(self, store: PortalStore) -> None:
        self._store = store
        self.read_again()

    def read_again(self) -> None:
        """Take everything from the file again, after a change. Each part is put in place whole: other calls are reading it."""
        found: dict[int, dict[str, dict[str, Definition]]] = {
            each: {name: {} for name in KINDS} for each in (0, 1)
        }
        for kind, name, archived, body in self._store.rows(
            "SELECT kind, name, archived, body FROM property ORDER BY rowid"
        ):
            found[archived][kind][name] = msgspec.json.decode(body)
        self._properties, self._archived = found[0], found[1]
        self.labels = [Label(*row) for row in self._store.rows("SELECT * FROM label ORDER BY number")]
        self._types: dict[tuple[str, str], dict[int, AssociationType]] = {}
        self._stages: dict[tuple[str | None, str | None], Any] = {
            (pipeline_id, str(stage["id"])): stage["metadata"] for pipeline_id, stage in self.stages("deals")
        }

    def properties(self, kind: Kind, *, archived: bool = False) -> Mapping[str, Definition]:
        """The properties of a kind by name: those in use, or those that were archived."""
        return (self._archived if archived else self._properties)[kind.name]

    def property_save(self, kind: Kind, definition: Definition, *, archived: bool = False) -> None:
        """Add a property, or put it in the place of the one of its name."""
        self._write(
            "INSERT INTO property VALUES (?, ?, ?, ?) ON CONFLICT (kind, name) "
            "DO UPDATE SET archived = excluded.archived, body = excluded.body",
            (kind.name, definition["name"], int(archived), encode(definition).decode()),
        )

    def calculated(self, kind: Kind, name: str) -> str | None:
        """The SQL that works a property out, if it is one of those."""
        return CALCULATED.get((kind.name, name)) if name in self._properties[kind.name] else None

    def pipelines(self, kind: str, *, archived: bool = False) -> list[Body]:
        """The pipelines of a kind in their order."""
        sql = "SELECT body FROM pipeline WHERE kind = ? AND archived = ? ORDER BY place, id"
        return [msgspec.json.decode(body) for (body,) in self._store.rows(sql, (kind, int(archived)))]

    def stages(self, kind: str) -> list[tuple[str, Body]]:
        """The stages of a kind in their order, each with its pipeline's id."""
        found: list[tuple[str, Body]] = []
        for body in self.pipelines(kind):
            stages = body["stages"]
            assert isinstance(stages, list)
            found += [(str(body["id"]), stage) for stage in stages]
        return found

    def pipeline(self, kind: str, pipeline_id: str) -> Body:
        """A pipeline. Raises: HubSpotError, if there is none of that id."""
        for body in self.pipelines(kind):
            if body["id"] == pipeline_id:
                return body
        raise HubSpotError(
            HTTPStatus.NOT_FOUND, "OBJECT_NOT_FOUND", f"Unable to find pipeline with id {pipeline_id}"
        )

    def pipeline_save(self, kind: str, body: Body, *, archived: bool = False) -> None:
        """Add a pipeline, or put it in the place of the one of its id."""
        self._write(
            "INSERT INTO pipeline VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, id) "
            "DO UPDATE SET place = excluded.place, archived = excluded.archived, body = excluded.body",
            (kind, body["id"], body["displayOrder"], int(archived), encode(body).decode()),
        )

    def stage_metadata(self, pipeline_id: str | None, stage_id: str | None) -> Mapping[str, str] | None:
        """Whether deals of a stage are closed, and how probable they are; None, where there is no such stage."""
        return self._stages.get((pipeline_id, stage_id))

    def label_add(self, left: str, right: str, left_label: str, right_label: str, name: str) -> Label:
        """Add a label of the portal's own."""
        number = max((label.number for label in self.labels), default=PRIMARY) + 1
        type_id = max((label.right_type for label in self.labels), default=35) + 1
        label = Label(number, left, right, type_id, type_id + 1, left_label, right_label, name)
        self._write("INSERT INTO label VALUES (?, ?, ?, ?, ?, ?, ?, ?)", tuple(vars(label).values()))
        return label

    def label_rename(self, number: int, left_label: str, right_label: str) -> None:
        """Give a label another text."""
        self._write(
            "UPDATE label SET left_label = ?, right_label = ? WHERE number = ?",
            (left_label, right_label, number),
        )

    def label_remove(self, label: Label) -> None:
        """Take a label away, from the associations too; they stay as unlabelled ones."""
        with self._store.writing() as connection:
            connection.execute(f"DELETE FROM {label.left}_{label.right} WHERE label = ?", (label.number,))
            connection.execute("DELETE FROM label WHERE number = ?", (label.number,))
        self.read_again()

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        with self._store.writing() as connection:
            connection.execute(sql, values)
        self.read_again()

    def association_types(self, one: Kind, other: Kind) -> Mapping[int, AssociationType]:
        """The association types from ``one`` to ``other``, by label number. Raises: HubSpotError, if there are none."""
        table_of(one, other)
        key = one.name, other.name
        if key not in self._types:
            self._types[key] = dict(self._association_types(one, other))
        return self._types[key]

    def _association_types(self, one: Kind, other: Kind) -> list[tuple[int, AssociationType]]:
        name = f"{one.singular}_to_{other.singular}"
        plain = f"{name}_unlabeled" if has_primary(one, other) else name
        found = [
            (
                UNLABELLED,
                AssociationType(defined_type(one, other, UNLABELLED), "HUBSPOT_DEFINED", None, plain),
            )
        ]
        if has_primary(one, other):
            found.append(
                (
                    PRIMARY,
                    AssociationType(defined_type(one, other, PRIMARY), "HUBSPOT_DEFINED", "Primary", name),
                )
            )
        for label in self.labels:
            if (label.left, label.right) == (one.name, other.name):
                found.append(
                    (
                        label.number,
                        AssociationType(label.left_type, "USER_DEFINED", label.left_label, label.name),
                    )
                )
            elif (label.right, label.left) == (one.name, other.name):
                found.append(
                    (
                        label.number,
                        AssociationType(label.right_type, "USER_DEFINED", label.right_label, label.name),
                    )
                )
        return found
