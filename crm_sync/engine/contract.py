"""Where a CRM does not keep to what its mapping expects: fields that changed, and values that are not what they should be.

Fields are compared with what they were when the mapping was saved. Values are noticed while their page is in the stage and
counted at the end of the run: kept-aside rows where they are kept, loaded ones in the mirror, so that what is told is what is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.db import connection as database
from django.db.models import QuerySet
from django.db.models.functions import Now

from crm_sync.connectors.base import FieldDescription, Kind, ObjectSpec
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import ODD, STAGE, is_odd, literal, staged
from crm_sync.mapping.applied import Descriptions
from crm_sync.mapping.document import Slot, slots_of
from crm_sync.mapping.fitting import fits, is_same_family, words_of
from crm_sync.models import Connection, ContractViolation, RejectedRow, ViolationKind

FIELD_KINDS = (
    ViolationKind.REMOVED,
    ViolationKind.ADDED,
    ViolationKind.RETYPED,
    ViolationKind.OPTIONS,
    ViolationKind.NULLABLE,
)
EXAMPLES = 5
_LONGEST = 300
_OPEN = """
    INSERT INTO crm_sync_contractviolation
        (id, tenant_id, connection_id, object_name, field, kind, expected, found, rows, examples)
    VALUES (gen_random_uuid(), %(tenant)s, %(connection)s, %(object)s, %(field)s, %(kind)s, %(expected)s, %(found)s, %(rows)s,
        %(examples)s::jsonb)
    ON CONFLICT (tenant_id, connection_id, object_name, field, kind) WHERE resolved_at IS NULL DO UPDATE
    SET expected = excluded.expected, found = excluded.found, rows = excluded.rows, examples = excluded.examples, seen_at = now()
"""
_REJECTED = """
    SELECT field, kind, min(reason), count(*), (array_agg(value ORDER BY rejected_at, external_id))[1],
        (array_agg(external_id ORDER BY rejected_at, external_id))[1:%(examples)s]
    FROM crm_sync_rejectedrow
    WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND object_name = %(object)s
    GROUP BY field, kind
"""


@dataclass(frozen=True)
class Breach:
    """One way in which one field of an object breaks the contract; ``field`` is "" where the whole object does."""

    field: str
    kind: ViolationKind
    expected: str
    found: str
    rows: int = 0
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Watch:
    """A way in which a value can be odd although its row is loaded: the condition in the stage, and in the mirror."""

    field: str
    kind: ViolationKind
    expected: str
    in_stage: str
    in_mirror: str
    value: str


# Fields


def required_ones(described: Descriptions) -> set[str]:
    """Custom fields that a row of the CRM cannot be without; a checkbox always has a value and asks nothing of anybody."""
    return {
        name
        for name, field in described.items()
        if field.is_custom and not (field.is_nullable or field.is_calculated or field.kind is Kind.FLAG)
    }


def contract_of(spec: ObjectSpec, described: Descriptions) -> dict[str, FieldDescription]:
    """What is expected of an object from now on: the fields that are read, and those that must be filled, as they are."""
    wanted = {*spec.fields, *required_ones(described)}
    return {name: field for name, field in described.items() if name in wanted}


def note_fields(scope: Scope, expected: Descriptions, described: Descriptions | None) -> None:
    """Open, renew and resolve what concerns the object's fields. ``described`` is None where it cannot be read at all."""
    found = list(_field_breaches(scope, expected, described))
    _note(scope, found)
    _resolve(scope, FIELD_KINDS, found)


def _field_breaches(scope: Scope, expected: Descriptions, described: Descriptions | None) -> Iterator[Breach]:
    if described is None:
        if expected:
            yield Breach("", ViolationKind.REMOVED, f"{scope.spec.name}, which can be read", "nothing")
        return
    for name in scope.spec.fields:
        if name in expected:
            yield from _changes_of(scope, expected[name], described.get(name))
    for name in sorted(required_ones(described) - expected.keys()):
        if expected:
            yield Breach(
                name, ViolationKind.ADDED, "no such field", f"a required field of type {described[name].type}"
            )


def _changes_of(scope: Scope, was: FieldDescription, now: FieldDescription | None) -> Iterator[Breach]:
    if now is None:
        yield Breach(was.name, ViolationKind.REMOVED, f"a field of type {was.type}", "no such field")
        return
    if not _still_fits(scope.spec, was, now):
        yield Breach(was.name, ViolationKind.RETYPED, f"type {was.type}", f"type {now.type}")
    if now.is_nullable and not was.is_nullable and _is_required(scope.spec, was.name):
        yield Breach(was.name, ViolationKind.NULLABLE, "a value in every row", "may be empty")
    if lost := [option for option in was.options if option not in now.options]:
        yield from _lost_options(scope, was, lost)


def _still_fits(spec: ObjectSpec, was: FieldDescription, now: FieldDescription) -> bool:
    """Whether values of the field can be used as they were; what never fitted on paper is the connector's own business."""
    slots = [slot for slot in _slots_on(spec, was.name) if fits(slot, was)]
    is_kept = all(
        custom.kind in (Kind.TEXT, Kind.NAME) or is_same_family(custom.kind, now.kind)
        for custom in spec.custom
        if custom.field == was.name
    )
    return is_kept and all(fits(slot, replace(now, options=())) for slot in slots)


def _slots_on(spec: ObjectSpec, field: str) -> list[Slot]:
    return [slot for slot in slots_of(spec).values() if slot.default == field]


def _is_required(spec: ObjectSpec, field: str) -> bool:
    return any(slot.is_required for slot in _slots_on(spec, field))


def _lost_options(scope: Scope, was: FieldDescription, lost: Sequence[str]) -> Iterator[Breach]:
    """Options that are gone matter where rows have them."""
    values = ", ".join(map(literal, lost))
    for value in _mirrored(scope.spec, was.name):
        rows, examples = _count(scope, f"{value} IN ({values})")
        if rows:
            named = ", ".join(f"“{option}”" for option in lost)
            yield Breach(
                was.name,
                ViolationKind.OPTIONS,
                f"the options {named}",
                "rows with options that are gone",
                rows,
                examples,
            )


def _mirrored(spec: ObjectSpec, field: str) -> Iterator[str]:
    """SQL of a text field's value in the mirror, whose alias is ``t``: at most one, as a column or as a custom field."""
    for column in spec.columns:
        if column.fields == (field,) and column.kind is Kind.TEXT:
            yield f"t.{column.name}"
            return
    for custom in spec.custom:
        if custom.field == field:
            yield f"t.custom ->> {literal(custom.key)}"
            return


# Values


def watch(scope: Scope) -> None:
    """Open a violation for each odd value of the stage whose row is loaded all the same; ``settle`` counts them."""
    watches = watches_of(scope)
    if not watches:
        return
    counting = ", ".join(f"count(*) FILTER (WHERE {each.in_stage})" for each in watches)
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {counting} FROM {STAGE} s", scope.parameters)
        counts = cursor.fetchone()
    _note(scope, [_breach(each, rows) for each, rows in zip(watches, counts, strict=True) if rows])


def _breach(each: Watch, rows: int, found: str = "", examples: Sequence[str] = ()) -> Breach:
    return Breach(each.field, each.kind, each.expected, found, rows, examples)


def watches_of(scope: Scope) -> list[Watch]:
    """Everything to look for in an object's rows."""
    return [*_type_watches(scope.spec), *_option_watches(scope)]


def _type_watches(spec: ObjectSpec) -> Iterator[Watch]:
    for custom in spec.custom:
        if custom.kind not in (Kind.TEXT, Kind.NAME):
            odd = f"t.custom -> '{ODD}' ->> {literal(custom.key)}"
            test = is_odd(custom, staged(custom.field))
            yield Watch(
                custom.field, ViolationKind.TYPE, words_of(custom.kind), test, f"({odd}) IS NOT NULL", odd
            )


def _option_watches(scope: Scope) -> Iterator[Watch]:
    for field, options in scope.options.items():
        for value in _mirrored(scope.spec, field):
            known = f"ARRAY[{', '.join(map(literal, options))}]::text[]"
            expected = f"one of its {len(options)} options"
            stage, mirror = _is_no_option(staged(field), known), _is_no_option(value, known)
            yield Watch(field, ViolationKind.PICKLIST, expected, stage, mirror, value)


def _is_no_option(value: str, known: str) -> str:
    # Several at once are parted by semicolons, in both CRMs.
    return f"({value} <> '' AND NOT ({value} = ANY ({known}) OR string_to_array({value}, ';') <@ {known}))"


def restricted(expected: Descriptions, described: Descriptions | None) -> dict[str, tuple[str, ...]]:
    """{field: options} of the picklists that take no other values; options that were known once are none of those."""
    return {
        name: tuple(
            dict.fromkeys((*field.options, *expected[name].options) if name in expected else field.options)
        )
        for name, field in (described or {}).items()
        if field.is_restricted and field.options
    }


def has_any(connection: Connection) -> bool:
    """Whether there is anything to settle: rows kept aside, or violations that are open."""
    own = {"tenant_id": connection.tenant_id, "connection_id": connection.id}
    kept = RejectedRow.objects.filter(**own).exists()
    return kept or ContractViolation.objects.filter(**own, resolved_at=None).exists()


def settle(scope: Scope) -> None:
    """Bring the violations that concern values up to what is kept aside and mirrored now."""
    found = [*_kept_aside(scope), *_loaded(scope)]
    _note(scope, found)
    _resolve(scope, [kind for kind in ViolationKind if kind not in FIELD_KINDS], found)


def _kept_aside(scope: Scope) -> Iterator[Breach]:
    with database.cursor() as cursor:
        cursor.execute(_REJECTED, {**scope.parameters, "examples": EXAMPLES})
        rows = cursor.fetchall()
    for field, kind, reason, count, value, examples in rows:
        yield Breach(field, ViolationKind(kind), reason, value, count, examples)


def _loaded(scope: Scope) -> Iterator[Breach]:
    noticed = set(_open_ones(scope).values_list("field", "kind"))
    for each in watches_of(scope):
        if (each.field, each.kind) in noticed:
            rows, examples = _count(scope, each.in_mirror)
            if rows:
                yield _breach(each, rows, _first_value(scope, each), examples)


def _count(scope: Scope, condition: str) -> tuple[int, list[str]]:
    sql = f"""
        SELECT count(*), (array_agg(t.external_id ORDER BY t.external_id))[1:%(examples)s]
        FROM {scope.table} t WHERE {scope.own_rows} AND {condition}
    """
    with database.cursor() as cursor:
        cursor.execute(sql, {**scope.parameters, "examples": EXAMPLES})
        rows, examples = cursor.fetchone()
    return rows, examples or []


def _first_value(scope: Scope, each: Watch) -> str:
    sql = f"SELECT {each.value} FROM {scope.table} t WHERE {scope.own_rows} AND {each.in_mirror} ORDER BY t.external_id LIMIT 1"
    return str(scope.scalar(sql) or "")


# Rows of ContractViolation


def _open_ones(scope: Scope) -> QuerySet[ContractViolation]:
    return ContractViolation.objects.filter(
        tenant_id=scope.tenant_id,
        connection_id=scope.connection_id,
        object_name=scope.spec.name,
        resolved_at=None,
    )


def _note(scope: Scope, found: Sequence[Breach]) -> None:
    for breach in found:
        scope.run(
            _OPEN,
            field=breach.field, kind=breach.kind.value, expected=breach.expected[:_LONGEST], found=breach.found[:_LONGEST],
            rows=breach.rows, examples=json.dumps(list(breach.examples)),
        )  # fmt: skip


def _resolve(scope: Scope, kinds: Sequence[ViolationKind], found: Sequence[Breach]) -> None:
    lasting = {(breach.field, breach.kind.value) for breach in found}
    for violation in _open_ones(scope).filter(kind__in=kinds):
        if (violation.field, violation.kind) not in lasting:
            ContractViolation.objects.filter(pk=violation.pk).update(resolved_at=Now())


def accept(connection: Connection, names: Sequence[str]) -> None:
    """Resolve what concerns fields of these objects: a mapping was saved that expects them as they are."""
    ContractViolation.objects.filter(
        tenant_id=connection.tenant_id,
        connection=connection,
        object_name__in=names,
        kind__in=FIELD_KINDS,
        resolved_at=None,
    ).update(resolved_at=Now())
