"""Changes of an organisation's schema, as an administrator makes them: fields added, removed, renamed, retyped, hidden."""

import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec

from sandbox.changes import sobject_of
from sandbox.errors import ApiError
from sandbox.formula import names_in
from sandbox.orgs import Org
from sandbox.schema import NUMBERS, Field, SObject
from sandbox.soql import compile_query, parse

_TYPES = (
    "string", "picklist", "multipicklist", "combobox", "reference", "boolean", "currency", "textarea", "int", "long", "double",
    "percent", "phone", "date", "datetime", "time", "url", "email", "encryptedstring", "anyType", "base64", "json", "complexvalue",
)  # fmt: skip
_OF_SEVERAL_CURRENCIES = "CurrencyIsoCode"
_LEAST_OF_EACH = {"date": "????-??-??", "datetime": "????-??-??T*"}


class NewField(msgspec.Struct, forbid_unknown_fields=True):
    """A custom field to add: ordinary, or with a formula; or CurrencyIsoCode, as in an organisation of several currencies."""

    name: str
    type: str = "string"
    values: tuple[str, ...] = ()
    refers_to: str | None = None
    formula: str = ""
    required: bool = False


class Renaming(msgspec.Struct, forbid_unknown_fields=True):
    """A custom field and its new name."""

    field: str
    to: str


class Retyping(msgspec.Struct, forbid_unknown_fields=True):
    """A custom field and its new type; values that do not fit it are lost."""

    field: str
    type: str
    values: tuple[str, ...] = ()


class Choices(msgspec.Struct, forbid_unknown_fields=True):
    """A picklist and its new values; records keep the values that they have."""

    field: str
    values: tuple[str, ...]


class SchemaChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to change of an object.

    ``hide`` and ``show`` take a field from the integration user and give it back; ``hide_object`` does so with the whole object;
    ``updated_list`` and ``bulk`` say whether it has change lists, and whether Bulk takes it.
    """

    name: str = msgspec.field(name="object")
    add: NewField | None = None
    remove: str = ""
    rename: Renaming | None = None
    retype: Retyping | None = None
    picklist: Choices | None = None
    hide: str = ""
    show: str = ""
    hide_object: bool | None = None
    updated_list: bool | None = None
    bulk: bool | None = None


def schema_change(org: Org, change: SchemaChange) -> None:
    """Make a change of the schema. Raises: ApiError INVALID_FIELD, FIELD_INTEGRITY_EXCEPTION, NOT_FOUND."""
    sobject = sobject_of(org, change.name, everything=True)
    with org.database.writing() as connection:
        drift = _Drift(org, connection, sobject)
        if change.add is not None:
            drift.add(change.add)
        if change.remove:
            drift.remove(change.remove)
        if change.rename is not None:
            drift.rename(change.rename)
        if change.retype is not None:
            drift.retype(change.retype)
        if change.picklist is not None:
            drift.offer(change.picklist)
        for name, is_hidden in ((change.hide, 1), (change.show, 0)):
            if name:
                drift.note(drift.known(name).name, is_hidden=is_hidden)
        drift.of_object(change)
    org.database.schema_changed()


def schema_shown(org: Org, name: str) -> dict[str, object]:
    """An object as it is: its fields, and which of them the integration user does not see."""
    sobject = sobject_of(org, name, everything=True)
    seen = org.database.schema.visible.get(sobject.name)
    fields = [
        {
            "name": field.name, "type": field.type, "formula": field.formula, "values": field.values,
            "hidden": seen is None or field.name not in seen.fields,
        }
        for field in sobject.fields.values()
    ]  # fmt: skip
    return {
        "object": sobject.name, "hidden": seen is None, "updated_list": sobject.is_replicated, "bulk": sobject.is_in_bulk,
        "fields": fields,
    }  # fmt: skip


def _refused(message: str, code: str = "INVALID_FIELD") -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, code, message)


class _Drift:
    """The changes of one object within one transaction."""

    def __init__(self, org: Org, connection: sqlite3.Connection, sobject: SObject) -> None:
        self._org = org
        self._connection = connection
        self._object = sobject

    def known(self, name: str) -> Field:
        """The field of that name. Raises: ApiError."""
        found = self._object.field(name)
        if found is None:
            raise _refused(f"{self._object.name} has no field {name}")
        return found

    def _custom(self, name: str) -> Field:
        found = self.known(name)
        if not found.is_custom:
            raise _refused(
                f"{name} is a standard field: it can be hidden, and be nothing else; only …__c fields can"
            )
        return found

    def note(
        self, name: str, *, is_hidden: int | None = None, definition: Field | None = None, is_removed: int = 0
    ) -> None:
        """What is known of a field from now on; what is not given stays as it was."""
        text = msgspec.json.encode(definition).decode() if definition is not None else None
        self._connection.execute(
            "INSERT INTO _field (object, name, definition, is_removed, is_hidden) VALUES (?, ?, ?, ?, ifnull(?, 0)) "
            "ON CONFLICT (object, name) DO UPDATE SET definition = ifnull(excluded.definition, definition), "
            "is_removed = excluded.is_removed, is_hidden = ifnull(?, is_hidden)",
            (self._object.name, name, text, is_removed, is_hidden, is_hidden),
        )

    def add(self, new: NewField) -> None:
        """A new custom field, empty, or with a formula."""
        self._check_name(new.name)
        self._check_type(new.type)
        if (new.type == "reference") != (new.refers_to in self._org.database.objects):
            raise _refused("a reference needs refers_to, the name of an object; nothing else has one")
        field = Field(
            new.name,
            new.type,
            new.refers_to,
            new.values,
            new.required,
            is_read_only=bool(new.formula),
            formula=new.formula,
        )
        if new.formula:
            self._check_formula(field)
        else:
            self._add_column(new.name)
        self.note(new.name, definition=field, is_hidden=0)

    def _check_name(self, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z]\w*__c", name) and name != _OF_SEVERAL_CURRENCIES:
            raise _refused(f"{name}: a custom field's name is letters, digits and _, and __c behind them")
        if self._object.field(name) is not None:
            raise _refused(f"{self._object.name} has a field {name} already", "DUPLICATE_DEVELOPER_NAME")

    def _check_type(self, kind: str) -> None:
        if kind not in _TYPES:
            raise _refused(f"{kind} is no type of a custom field; there are {', '.join(_TYPES)}")

    def _check_formula(self, field: Field) -> None:
        """Compiles the formula as a query of it would. Raises: ApiError FIELD_INTEGRITY_EXCEPTION."""
        schema = self._org.database.schema.unlimited
        trial = self._object.with_fields({**self._object.fields, field.name: field})
        objects = {**schema.objects, self._object.name: trial}
        query = parse(f"SELECT {field.name} FROM {self._object.name}")
        compile_query(query, type(schema)(objects, objects), datetime.now(UTC), with_deleted=True)

    def _add_column(self, name: str) -> None:
        if name.lower() in self._columns():
            self._connection.execute(f'UPDATE "{self._object.name}" SET "{name}" = NULL')
        else:
            self._connection.execute(f'ALTER TABLE "{self._object.name}" ADD COLUMN "{name}"')

    def remove(self, name: str) -> None:
        """A custom field is gone; a field that a formula reads cannot go."""
        field = self._custom(name)
        for reader in self._readers(field.name):
            raise _refused(
                f"{field.name} is used by the formula of {reader}; remove that first", "DEPENDENCY_EXISTS"
            )
        self.note(field.name, is_removed=1)

    def _readers(self, name: str) -> list[str]:
        """Formulas of this object that read a field of it, or of any object that read one of that name across a reference."""
        found = []
        for sobject in self._org.database.objects.values():
            for field in sobject.fields.values():
                paths = names_in(field.formula) if field.formula else set()
                if any(path.rpartition(".")[2] == name.lower() for path in paths):
                    found.append(f"{sobject.name}.{field.name}")
        return found

    def rename(self, change: Renaming) -> None:
        """A custom field has another name, in formulas too."""
        field = self._custom(change.field)
        self._check_name(change.to)
        if field.is_stored:
            self._rename_column(field.name, change.to)
        names = (change.to, self._object.name, field.name)
        self._connection.execute("DELETE FROM _field WHERE name = ? AND object = ?", names[:2])
        self._connection.execute("UPDATE _field SET name = ? WHERE object = ? AND name = ?", names)
        self.note(change.to, definition=replace(field, name=change.to))
        self._rename_in_formulas(field.name, change.to)

    def _rename_column(self, name: str, to: str) -> None:
        """Also where a removed field of the new name has left its column."""
        table = f'ALTER TABLE "{self._object.name}"'
        if to.lower() in self._columns():
            self._connection.execute(f'{table} DROP COLUMN "{to}"')
        self._connection.execute(f'{table} RENAME COLUMN "{name}" TO "{to}"')

    def _columns(self) -> set[str]:
        return {
            row[1].lower() for row in self._connection.execute(f'PRAGMA table_info("{self._object.name}")')
        }

    def _rename_in_formulas(self, name: str, to: str) -> None:
        for sobject in self._org.database.objects.values():
            for field in sobject.fields.values():
                formula = re.sub(rf"\b{name}\b", to, field.formula, flags=re.IGNORECASE)
                if formula != field.formula:
                    drift = _Drift(self._org, self._connection, sobject)
                    drift.note(field.name, definition=replace(field, formula=formula))

    def retype(self, change: Retyping) -> None:
        """A custom field has another type."""
        field = self._custom(change.field)
        self._check_type(change.type)
        if field.formula:
            raise _refused(f"{field.name} is a formula; remove it and add another")
        self._drop_what_does_not_fit(field.name, change.type)
        self.note(
            field.name,
            definition=Field(field.name, change.type, values=change.values, is_required=field.is_required),
        )

    def _drop_what_does_not_fit(self, name: str, kind: str) -> None:
        column = f'"{name}"'
        if kind in NUMBERS:
            unfit = f"{column} GLOB '*[^0-9.eE+-]*'"
        elif kind == "boolean":
            unfit = f"{column} NOT IN ('true', 'false')"
        elif kind in _LEAST_OF_EACH:
            unfit = f"{column} NOT GLOB '{_LEAST_OF_EACH[kind]}'"
        else:
            return
        self._connection.execute(f'UPDATE "{self._object.name}" SET {column} = NULL WHERE {unfit}')

    def offer(self, change: Choices) -> None:
        """A picklist offers other values."""
        field = self.known(change.field)
        if field.type not in {"picklist", "multipicklist"}:
            raise _refused(f"{field.name} is no picklist")
        if (self._object.name, field.name) == ("Opportunity", "StageName"):
            raise _refused(
                "the values of StageName are the records of OpportunityStage; create or update those"
            )
        self.note(field.name, definition=replace(field, values=change.values))

    def of_object(self, change: SchemaChange) -> None:
        """Whether the object is seen, has change lists, can be read by Bulk."""
        wanted = {
            "is_hidden": change.hide_object, "is_replicated": change.updated_list, "is_in_bulk": change.bulk,
        }  # fmt: skip
        self._connection.execute("INSERT OR IGNORE INTO _object (name) VALUES (?)", (self._object.name,))
        for column, value in wanted.items():
            if value is not None:
                self._connection.execute(
                    f"UPDATE _object SET {column} = ? WHERE name = ?", (int(value), self._object.name)
                )
