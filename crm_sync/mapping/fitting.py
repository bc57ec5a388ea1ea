"""Which CRM fields fit which of ours, and what is wrong with a mapping that a person wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from crm_sync.connectors.base import FieldDescription, Kind, ObjectSpec
from crm_sync.mapping.applied import Descriptions
from crm_sync.mapping.document import MOST_CUSTOM_FIELDS, Fields, Slot, complete_fields, custom_of, slots_of

_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
# Longer names of columns are cut by PostgreSQL; the others cannot stand in a query of a CRM.
_FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NUMBERS = frozenset({Kind.NUMBER, Kind.MONEY, Kind.COUNT, Kind.PERCENT})
_TEXTS = frozenset({Kind.TEXT, Kind.NAME})
_ACCEPTED: dict[Kind, frozenset[Kind]] = {
    Kind.TEXT: frozenset(Kind),
    Kind.NAME: _TEXTS,
    Kind.DATE: frozenset({Kind.DATE}),
    Kind.INSTANT: frozenset({Kind.INSTANT}),
    Kind.FLAG: frozenset({Kind.FLAG}),
    **dict.fromkeys(_NUMBERS, _NUMBERS),
}
_WORDS = {
    Kind.TEXT: "text",
    Kind.NAME: "text",
    Kind.DATE: "a date without a time",
    Kind.INSTANT: "a date with a time",
    Kind.FLAG: "a checkbox",
    **dict.fromkeys(_NUMBERS, "a number"),
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field of an object's mapping, as a sentence that says what would be right."""

    object_name: str
    key: str
    problem: str


def is_offered(field: FieldDescription) -> bool:
    """Whether a field of the CRM can be mapped at all."""
    return bool(_FIELD.fullmatch(field.name))


def fits(slot: Slot, field: FieldDescription) -> bool:
    """Whether a field's values can be the values of one of ours. A reference holds ids, so no picklist can be one."""
    if slot.kind is None:
        return field.kind in _TEXTS and not field.options
    return field.kind in _ACCEPTED[slot.kind]


def is_same_family(one: Kind, other: Kind) -> bool:
    """Whether values of one kind are kept as those of the other are."""
    return any({one, other} <= family for family in (_NUMBERS, _TEXTS)) or one is other


def words_of(kind: Kind | None) -> str:
    """A kind of value in the reader's words."""
    return "the id of another row" if kind is None else _WORDS[kind]


def faults_of(spec: ObjectSpec, fields: Fields, described: Descriptions) -> Iterator[Fault]:
    """Everything that is wrong with an object's fields; a default is never wrong, even where the CRM lacks it."""
    wanted = complete_fields(spec, fields)
    for key, slot in slots_of(spec).items():
        if wanted[key] != slot.default:
            yield from _told(spec, key, _slot_problem(spec, slot, wanted[key], described))
    custom = {key: field for key, field in fields.items() if key not in slots_of(spec)}
    if len(custom) > MOST_CUSTOM_FIELDS:
        problem = f"{spec.name} has {len(custom)} custom fields; map at most {MOST_CUSTOM_FIELDS}."
        yield Fault(spec.name, next(iter(custom)), problem)
        return  # looking for the nearest names of thousands takes minutes
    for key, field in custom.items():
        yield from _told(spec, key, _custom_problem(spec, key, field, wanted, described))


def _told(spec: ObjectSpec, key: str, problem: str) -> Iterator[Fault]:
    if problem:
        yield Fault(spec.name, key, problem)


def _slot_problem(spec: ObjectSpec, slot: Slot, field: str, described: Descriptions) -> str:
    if slot.is_fixed:
        return f"{slot.key} can only be read from {slot.default}: rows are told apart and followed by it."
    if not field:
        return f"{slot.key} is needed: choose the field it is read from." if slot.is_required else ""
    if problem := _unknown(spec, field, described):
        return problem
    # The connector may turn its own field's type into ours, and then others of that type as well.
    is_like_default = slot.default in described and described[slot.default].type == described[field].type
    if not (is_like_default or fits(slot, described[field])):
        return (
            f"{field} is of type {described[field].type}, and {slot.key} needs {words_of(slot.kind)}. "
            "Choose a field of that type."
        )
    return ""


def _unknown(spec: ObjectSpec, field: str, described: Descriptions) -> str:
    if field in described and is_offered(described[field]):
        return ""
    near = get_close_matches(field, described, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Choose one of the list."
    return f"{spec.name} has no field “{field[:80]}” that can be read: it is not there, or hidden from the integration user. {hint}"


def _custom_problem(spec: ObjectSpec, key: str, field: str, wanted: Fields, described: Descriptions) -> str:
    if not _KEY.fullmatch(key):
        return (
            f"“{key[:80]}” cannot name a custom field. Use small letters, digits and underscores, "
            "beginning with a letter, 60 at most, such as sales_region."
        )
    if not field:
        return f"Choose the field that {key} is read from, or remove it."
    twin = next((other for other, same in wanted.items() if same == field and other != key), "")
    if twin and (twin in slots_of(spec) or list(wanted).index(twin) < list(wanted).index(key)):
        return f"{field} is read as {twin} already; each field is kept once."
    return _unknown(spec, field, described)


def custom_count(spec: ObjectSpec, fields: Fields) -> int:
    """How many custom fields an object has."""
    return len(custom_of(spec, fields))
