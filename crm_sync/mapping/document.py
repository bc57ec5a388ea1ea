"""The mapping document: ``{object: {our field: CRM field}}``, its defaults, its reading from JSON, and what differs between two.

Its names for deals are those of the administrator guide (``000_c7eb0ff07ff5e34f.txt``, "Configure Field Mapping"). Of an object that
it names, a document holds all custom fields (names that are none of ours); those of ours that it leaves out are read from their
defaults, and an empty CRM field means that ours is not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_sync.connectors.base import Column, Kind, ObjectSpec, Reference
from crm_sync.models import Opportunity
from isolation.errors import InvalidInput
from isolation.models import MirrorModel

Fields = Mapping[str, str]
Document = Mapping[str, Fields]

LONGEST_TEXT = 512 * 1024
MOST_CUSTOM_FIELDS = 200
# The guide's own words where a rule would give others.
_GUIDE: dict[tuple[type[MirrorModel], str], str] = {
    (Opportunity, "name"): "opportunity_name",
    (Opportunity, "stage"): "stage_name",
}
_ENDINGS = {"_minor": "", "_percent": "", "_on": "_date", "_external_id": "_id"}


@dataclass(frozen=True)
class Slot:
    """One of our fields. ``default`` is the CRM field that the connector reads for it ("" for none).

    ``kind`` is None for the id of a row, and for a reference. A fixed one cannot be read from elsewhere.
    """

    key: str
    default: str
    kind: Kind | None
    is_required: bool = False
    is_fixed: bool = False
    is_reference: bool = False


@dataclass(frozen=True)
class Change:
    """What one field of an object was read from and is now; "" for not at all."""

    object_name: str
    key: str
    before: str
    after: str


def is_mappable(spec: ObjectSpec) -> bool:
    """Whether an object's fields can be chosen: rows that come inside another object's are made by the connector."""
    return not spec.parent


def slots_of(spec: ObjectSpec) -> dict[str, Slot]:
    """Our fields of an object by their names in the document, in the order in which they are shown."""
    own_id = f"{_words(spec.model.__name__)}_id"
    slots = [Slot(own_id, spec.id_field, None, is_required=True, is_fixed=True)]
    slots += [_column_slot(spec, column) for column in spec.columns]
    slots += [_reference_slot(reference) for reference in spec.references]
    if spec.currency_field:
        slots.append(Slot("currency", spec.currency_field, Kind.TEXT))
    slots.append(Slot("modified_at", spec.stamp_field, Kind.INSTANT, is_required=True, is_fixed=True))
    return {slot.key: slot for slot in slots}


def key_of(spec: ObjectSpec, column: Column) -> str:
    """What a column is called in the document: units and suffixes of storage are left out of it."""
    if column.key:
        return column.key
    if (spec.model, column.name) in _GUIDE:
        return _GUIDE[spec.model, column.name]
    for ending, instead in _ENDINGS.items():
        if column.name.endswith(ending):
            return column.name.removesuffix(ending) + instead
    return column.name


def _words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _column_slot(spec: ObjectSpec, column: Column) -> Slot:
    return Slot(key_of(spec, column), column.fields[0], column.kind, is_required=column.is_required)


def _reference_slot(reference: Reference) -> Slot:
    return Slot(
        reference.mapping_key, reference.field, None, is_required=reference.is_required, is_reference=True
    )


def defaults_of(spec: ObjectSpec) -> dict[str, str]:
    """The fields of an object as the connector reads them unless told otherwise."""
    return {key: slot.default for key, slot in slots_of(spec).items()}


def complete_fields(spec: ObjectSpec, fields: Fields) -> dict[str, str]:
    """The fields of an object with the defaults of those left out: ours first, then the custom ones."""
    custom = {key: field for key, field in fields.items() if key not in slots_of(spec)}
    ours = {key: fields.get(key, default) for key, default in defaults_of(spec).items()}
    return {**ours, **custom}


def complete(specs: Iterable[ObjectSpec], document: Document) -> dict[str, dict[str, str]]:
    """The whole document, object by object; objects that the CRM's connector does not know are left out."""
    return {
        spec.name: complete_fields(spec, document.get(spec.name, {})) for spec in specs if is_mappable(spec)
    }


def custom_of(spec: ObjectSpec, fields: Fields) -> dict[str, str]:
    """The custom fields among an object's fields."""
    ours = slots_of(spec)
    return {key: field for key, field in fields.items() if key not in ours and field}


def changes_between(before: Document, after: Document) -> list[Change]:
    """What differs, in the order of the later document."""
    found = []
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name, {}), after.get(name, {})
        for key in dict.fromkeys([*now, *was]):
            if was.get(key, "") != now.get(key, ""):
                found.append(Change(name, key, was.get(key, ""), now.get(key, "")))
    return found


def from_json(text: str) -> dict[str, dict[str, str]]:
    """A document from its JSON form. Raises: InvalidInput, saying where it is no document."""
    if len(text) > LONGEST_TEXT:
        raise _not_a_document(f"It is longer than {LONGEST_TEXT // 1024} kB.")
    try:
        read = json.loads(text, object_pairs_hook=_without_repetition)
    except ValueError as error:
        raise _not_a_document(f"It is no JSON: {error}.") from error
    except RecursionError as error:
        raise _not_a_document("It is nested too deeply.") from error
    if not isinstance(read, dict):
        raise _not_a_document("It must be an object of objects.")
    return {str(name): _fields_from(str(name), fields) for name, fields in read.items()}


def _fields_from(name: str, fields: Any) -> dict[str, str]:
    if not isinstance(fields, dict) or not all(isinstance(field, str) for field in fields.values()):
        raise _not_a_document(
            f"“{name[:60]}” must be an object whose values are names of CRM fields in quotation marks."
        )
    return dict(fields)


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _not_a_document(f"“{name[:60]}” stands in it twice; leave one.")
        found[name] = value
    return found


def _not_a_document(what: str) -> InvalidInput:
    example = '{"Opportunity": {"amount": "Amount"}}'
    return InvalidInput(
        field="document", problem=f"This is not a field mapping. {what} A mapping looks like {example}."
    )
