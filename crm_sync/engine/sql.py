"""From an object's declaration to SQL: what a staged row's columns become, and what makes it a bad row.

A staged row is text throughout; ``s`` is its alias, and each reference ``r`` has the alias ``ref_<name>``. Literal per cent
signs are doubled, because every statement is sent with parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models

from crm_sync.connectors.base import Column, Kind, ObjectSpec, Reference
from isolation.models import MirrorModel

STAGE = "crm_stage"
ID_LENGTH = 40
# Minor units are two decimals but for these (ISO 4217).
_NO_DECIMALS = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
_THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
# Outside these years a value is a slip, and at their far ends neither Python nor a time zone's offset can hold it.
_FIRST_YEAR, _LAST_YEAR = "1900", "2999"
_LARGEST_AMOUNT = "9e14"  # in major units; minor units must fit a bigint


def quoted(name: str) -> str:
    """A field name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def staged(field: str) -> str:
    """The text of a field of a staged row."""
    return f"s.{quoted(field)}"


def table_of(model: type[MirrorModel]) -> str:
    """The mirror table of a model."""
    return model._meta.db_table


def joins(spec: ObjectSpec) -> str:
    """The mirror rows that a staged row's references name, where there are any."""
    return "\n".join(
        f"LEFT JOIN {table_of(r.to)} ref_{r.name} ON ref_{r.name}.tenant_id = %(tenant)s"
        f" AND ref_{r.name}.source = %(source)s AND ref_{r.name}.external_id = {staged(r.field)}"
        for r in spec.references
    )


# Values


def minor_units(spec: ObjectSpec) -> str:
    """How many minor units one unit of a row's currency has; ``%(currency)s`` is the workspace's."""
    currency = (
        f"coalesce({staged(spec.currency_field)}, %(currency)s)" if spec.currency_field else "%(currency)s"
    )
    none, three = (", ".join(f"'{code}'" for code in codes) for codes in (_NO_DECIMALS, _THREE_DECIMALS))
    return f"CASE WHEN {currency} IN ({none}) THEN 1 WHEN {currency} IN ({three}) THEN 1000 ELSE 100 END"


def _value(spec: ObjectSpec, column: Column) -> str:
    text = staged(column.fields[0])
    length = _field(spec.model, column.name).max_length
    match column.kind:
        case Kind.TEXT:
            return f"coalesce({text}, '')::varchar({length})"
        case Kind.NAME:
            every = ", ".join(staged(name) for name in (*column.fields, spec.id_field))
            return f"coalesce({every})::varchar({length})"
        case Kind.DATE:
            return f"{text}::date"
        case Kind.INSTANT:
            return f"{text}::timestamptz"
        case Kind.MONEY:
            return f"round({text}::numeric * {minor_units(spec)})::bigint"
        case Kind.COUNT:
            return f"round({text}::numeric)::integer"
        case Kind.PERCENT:
            return f"round({text}::numeric)::smallint"
        case Kind.FLAG:
            return f"coalesce(lower({text}) = 'true', false)"


def values(spec: ObjectSpec) -> dict[str, str]:
    """{column: SQL} for all columns that the object fills, except tenant and source."""
    found = {
        "external_id": f"{staged(spec.id_field)}::varchar({ID_LENGTH})",
        "modified_at": f"{staged(spec.stamp_field)}::timestamptz",
    }
    found |= {name: f"'{value}'" for name, value in spec.constants.items()}
    found |= {column.name: _value(spec, column) for column in spec.columns}
    for reference in spec.references:
        found |= _reference_values(spec, reference)
    if "currency" in _column_names(spec.model):
        given = (
            f"coalesce({staged(spec.currency_field)}, %(currency)s)"
            if spec.currency_field
            else "%(currency)s"
        )
        found["currency"] = f"{given}::varchar(3)"
    return found


def _reference_values(spec: ObjectSpec, reference: Reference) -> dict[str, str]:
    alias = f"ref_{reference.name}"
    copies = {
        own: f"{alias}.{theirs}" if _is_nullable(spec.model, own) else f"coalesce({alias}.{theirs}, '')"
        for own, theirs in reference.copies.items()
    }
    external = f"coalesce({staged(reference.field)}, '')::varchar({ID_LENGTH})"
    return {reference.external: external, reference.internal: f"{alias}.id", **copies}


def empty_value(model: type[MirrorModel], column: str) -> str:
    """What a column holds where nothing is known."""
    return "NULL" if _is_nullable(model, column) else "''"


def _is_nullable(model: type[MirrorModel], column: str) -> bool:
    return _field(model, column).null


def _field(model: type[MirrorModel], column: str) -> models.Field[object, object]:
    return next(field for field in model._meta.local_concrete_fields if str(field.column) == column)


def _column_names(model: type[MirrorModel]) -> list[str]:
    return [str(field.column) for field in model._meta.local_concrete_fields]


def fillers(spec: ObjectSpec) -> dict[str, str]:
    """{column: SQL} for the columns that the object does not fill: a new row needs a value in them, an old one keeps its own."""
    filled = {"id", "tenant_id", "source", *values(spec)}
    left = (field for field in spec.model._meta.local_concrete_fields if field.column not in filled)
    return {str(field.column): _filler(field) for field in left}


def _filler(field: models.Field[object, object]) -> str:
    if field.null:
        return "NULL"
    if isinstance(field, models.JSONField):
        return "'{}'::jsonb"
    if isinstance(field, models.BooleanField):
        return "true" if field.default is True else "false"
    return "now()" if isinstance(field, models.DateTimeField) else "''"


# Bad rows


@dataclass(frozen=True)
class Check:
    """A condition under which ``field`` is bad, and the reason as the end of a sentence that begins with the field."""

    field: str
    is_bad: str
    reason: str


def checks(spec: ObjectSpec) -> list[Check]:
    """Everything that can be wrong with a staged row, in the order in which it is told."""
    own_id = staged(spec.id_field)
    found = [
        Check(
            spec.id_field, f"{own_id} IS NULL", "is missing; a row without an id cannot be told from others"
        ),
        Check(
            spec.id_field, f"char_length({own_id}) > {ID_LENGTH}", f"is longer than {ID_LENGTH} characters"
        ),
        *_column_checks(Column("modified_at", Kind.INSTANT, (spec.stamp_field,), is_required=True)),
    ]
    for column in spec.columns:
        found += _column_checks(column)
    for reference in spec.references:
        found += _reference_checks(reference)
    return found


def _reference_checks(reference: Reference) -> Iterator[Check]:
    text = staged(reference.field)
    if reference.is_required:
        yield Check(reference.field, f"{text} IS NULL", "is missing; the row must belong to somebody")
    if reference.must_resolve:
        is_bad = f"{text} IS NOT NULL AND ref_{reference.name}.id IS NULL"
        yield Check(reference.field, is_bad, "is not the id of a user that the CRM holds")


def _column_checks(column: Column) -> Iterator[Check]:
    field, text = column.fields[0], staged(column.fields[0])
    if column.is_required:
        yield Check(field, f"{text} IS NULL", "is missing; the CRM requires it, and so do the pages")
    match column.kind:
        case Kind.DATE:
            is_good = f"{text} LIKE '____-__-__' AND pg_input_is_valid({text}, 'date')"
            yield Check(field, _given_and_not(text, is_good), "is not a date; a date looks like 2026-03-31")
            yield _year_check(field, text)
        case Kind.INSTANT:
            is_good = f"{text} LIKE '____-__-__T__:__:__%%' AND pg_input_is_valid({text}, 'timestamptz')"
            yield Check(
                field, _given_and_not(text, is_good), "is not a time; a time looks like 2026-03-31T09:30:00Z"
            )
            yield _year_check(field, text)
        case Kind.MONEY:
            is_good = _number_between(text, f"-{_LARGEST_AMOUNT}", _LARGEST_AMOUNT)
            yield Check(
                field, _given_and_not(text, is_good), "is not an amount; an amount looks like 12500.00"
            )
        case Kind.COUNT:
            is_good = _number_between(text, "0", "2147483647")
            yield Check(field, _given_and_not(text, is_good), "is not a number from 0 up, such as 250")
        case Kind.PERCENT:
            is_good = _number_between(text, "0", "100")
            yield Check(field, _given_and_not(text, is_good), "is not a number from 0 to 100")
        case Kind.FLAG:
            yield Check(
                field,
                _given_and_not(text, f"lower({text}) IN ('true', 'false')"),
                "is neither true nor false",
            )
        case Kind.TEXT | Kind.NAME:
            pass


def _year_check(field: str, text: str) -> Check:
    # As text, without a cast: what is no date at all is told first, and both begin with four digits.
    is_good = f"""left({text}, 4) COLLATE "C" BETWEEN '{_FIRST_YEAR}' AND '{_LAST_YEAR}'"""
    reason = f"is outside the years {_FIRST_YEAR} to {_LAST_YEAR}; enter the year that was meant"
    return Check(field, _given_and_not(text, is_good), reason)


def _given_and_not(text: str, is_good: str) -> str:
    return f"{text} IS NOT NULL AND NOT ({is_good})"


def _number_between(text: str, least: str, most: str) -> str:
    # PostgreSQL reads NaN, Infinity, 0x1F and 1_000 as numbers too; CASE keeps the cast behind the test.
    plain = f"translate({text}, '0123456789.-+eE', '') = '' AND pg_input_is_valid({text}, 'numeric')"
    return f"CASE WHEN {plain} THEN {text}::numeric BETWEEN {least} AND {most} ELSE false END"
