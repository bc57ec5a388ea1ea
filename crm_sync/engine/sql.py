"""From an object's declaration to SQL: what a staged row's columns become, and what makes it a bad row.

A staged row is text throughout; ``s`` is its alias, and each reference ``r`` has the alias ``ref_<name>``. Literal per cent
signs are doubled, because every statement is sent with parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from django.db import models

from crm_sync.connectors.base import Column, CustomField, Kind, ObjectSpec, Reference
from crm_sync.models import ViolationKind
from isolation.models import MirrorModel

STAGE = "crm_stage"
NEW = "crm_new"  # the staged rows that are not in the mirror yet, or differ from it
MERGED = "crm_merged"  # those rows as they are in the mirror now
ID_LENGTH = 40
# Values of custom fields that are not of their type, in ``custom`` itself: no mapping can hold a field of this name.
ODD = "!"
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
# A function takes no more than a hundred arguments, a key and a value each being one.
_PAIRS = 50
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
    match column.kind:
        case Kind.TEXT:
            return f"coalesce({text}, '')"
        case Kind.NAME:
            every = ", ".join(staged(name) for name in (*column.fields, spec.id_field))
            return f"coalesce({every})"
        case Kind.DATE:
            return f"{text}::date"
        case Kind.INSTANT:
            return f"{text}::timestamptz"
        case Kind.MONEY:
            return f"round({text}::numeric * {minor_units(spec)})::bigint"
        case Kind.NUMBER:
            return f"{text}::numeric"
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
    found["custom"] = _custom_values(spec)
    return found


def _custom_values(spec: ObjectSpec) -> str:
    if not spec.custom:
        return "'{}'::jsonb"
    values = _json({custom.key: _custom_value(custom) for custom in spec.custom})
    typed = [custom for custom in spec.custom if custom.kind in _CUSTOM_TESTS]
    if not typed:
        return values
    # What does not fit its type is no value, and yet not lost: the row is loaded, the contract's page tells of it.
    odd = {
        custom.key: f"CASE WHEN {is_odd(custom, staged(custom.field))} THEN {staged(custom.field)} END"
        for custom in typed
    }
    any_odd = " OR ".join(f"({is_odd(custom, staged(custom.field))})" for custom in typed)
    return f"CASE WHEN {any_odd} THEN {values} || jsonb_build_object('{ODD}', {_json(odd)}) ELSE {values} END"


def _json(values: Mapping[str, str]) -> str:
    pairs = (f"{literal(key)}, {sql}" for key, sql in values.items())
    objects = (
        f"jsonb_build_object({', '.join(some)})" for some in iter(lambda: list(islice(pairs, _PAIRS)), [])
    )
    return f"jsonb_strip_nulls({' || '.join(objects)})"


def _custom_value(custom: CustomField) -> str:
    text = staged(custom.field)
    match custom.kind:
        case Kind.NUMBER | Kind.MONEY | Kind.COUNT | Kind.PERCENT:
            return f"CASE WHEN {is_number(text)} THEN {text}::numeric END"
        case Kind.FLAG:
            return f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"
        case Kind.DATE | Kind.INSTANT:
            return f"CASE WHEN NOT ({is_odd(custom, text)}) THEN {text} END"
        case Kind.TEXT | Kind.NAME:
            return text


def is_odd(custom: CustomField, text: str) -> str:
    """The condition under which a custom field's value is not of its type; false where there is none."""
    test = _CUSTOM_TESTS.get(custom.kind)
    return _given_and_not(text, test(text)) if test else "false"


def kept_values(spec: ObjectSpec) -> str:
    """What stays of an old row's ``t.custom`` when the row is written anew: values of fields that are not read this time."""
    keys = ", ".join(literal(key) for key in spec.kept)
    return f"""coalesce((SELECT jsonb_object_agg(old.key, old.value) FROM jsonb_each(t.custom) AS old
        WHERE old.key IN ({keys})), '{{}}'::jsonb)"""


def literal(text: str) -> str:
    """A text as an SQL literal inside a statement that is sent with parameters."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _reference_values(spec: ObjectSpec, reference: Reference) -> dict[str, str]:
    alias = f"ref_{reference.name}"
    copies = {
        own: f"coalesce({alias}.{theirs}, {empty_value(spec.model, own)})"
        for own, theirs in reference.copies.items()
    }
    external = f"coalesce({staged(reference.field)}, '')::varchar({ID_LENGTH})"
    return {reference.external: external, reference.internal: f"{alias}.id", **copies}


def empty_value(model: type[MirrorModel], column: str) -> str:
    """What a column holds where nothing is known."""
    return _filler(_field(model, column))


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
    """A condition under which ``field`` is bad, and the reason as the end of a sentence that begins with the field.

    ``kind`` is SQL for the ViolationKind.
    """

    field: str
    is_bad: str
    reason: str
    kind: str = f"'{ViolationKind.TYPE}'"


_MISSING, _OUT_OF_RANGE, _NOWHERE = (
    f"'{kind}'" for kind in (ViolationKind.REQUIRED, ViolationKind.RANGE, ViolationKind.REFERENCE)
)


def checks(spec: ObjectSpec) -> list[Check]:
    """Everything that can be wrong with a staged row, in the order in which it is told."""
    own_id = staged(spec.id_field)
    no_id = "is missing; a row without an id cannot be told from others"
    found = [
        Check(spec.id_field, f"{own_id} IS NULL", no_id, _MISSING),
        _length_check(spec.id_field, ID_LENGTH),
        *_column_checks(Column("modified_at", Kind.INSTANT, (spec.stamp_field,), is_required=True)),
    ]
    for column in spec.columns:
        found += [*_column_checks(column), *_length_checks(spec, column)]
    for reference in spec.references:
        found += _reference_checks(reference)
    if spec.currency_field:
        found.append(_currency_check(spec.currency_field))
    return found


def _length_check(field: str, most: int) -> Check:
    # Nothing is cut: half an id is the id of another row.
    is_bad = f"char_length({staged(field)}) > {most}"
    return Check(field, is_bad, f"is longer than {most} characters", _OUT_OF_RANGE)


def _length_checks(spec: ObjectSpec, column: Column) -> Iterator[Check]:
    longest = getattr(_field(spec.model, column.name), "max_length", None)
    if column.kind is Kind.TEXT and longest:
        yield _length_check(column.fields[0], longest)


def _currency_check(field: str) -> Check:
    text = staged(field)
    is_bad = _given_and_not(text, f"""char_length({text}) = 3 AND {text} COLLATE "C" = upper({text})""")
    return Check(field, is_bad, "is not a currency; a currency is three capital letters, such as EUR")


def _reference_checks(reference: Reference) -> Iterator[Check]:
    text = staged(reference.field)
    if reference.is_required:
        reason = "is missing; the row must belong to somebody"
        yield Check(reference.field, f"{text} IS NULL", reason, _MISSING)
    yield _length_check(reference.field, ID_LENGTH)
    if reference.must_resolve:
        is_bad = f"{text} IS NOT NULL AND ref_{reference.name}.id IS NULL"
        reason = "is not the id of a user that the CRM holds"
        yield Check(reference.field, is_bad, reason, _NOWHERE)


def _column_checks(column: Column) -> Iterator[Check]:
    field, text = column.fields[0], staged(column.fields[0])
    if column.is_required:
        reason = "is missing; the CRM requires it, and so do the pages"
        yield Check(field, f"{text} IS NULL", reason, _MISSING)
    yield from (replace(check, field=field) for check in value_checks(column.kind, text))


def value_checks(kind: Kind, text: str) -> Iterator[Check]:
    """What a value of that kind can be, told by its SQL ``text``; nothing at all is never bad."""
    match kind:
        case Kind.DATE:
            yield _check(text, is_date(text), "is not a date; a date looks like 2026-03-31")
            yield _year_check(text)
        case Kind.INSTANT:
            yield _check(text, is_instant(text), "is not a time; a time looks like 2026-03-31T09:30:00Z")
            yield _year_check(text)
        case Kind.MONEY:
            reason = "is no amount that fits; an amount looks like 12500.00 and is at most 900 trillion"
            yield _number_check(text, reason, f"-{_LARGEST_AMOUNT}", _LARGEST_AMOUNT)
        case Kind.COUNT:
            yield _number_check(text, "is not a number from 0 up, such as 250", "0", "2147483647")
        case Kind.PERCENT:
            yield _number_check(text, "is not a number from 0 to 100", "0", "100")
        case Kind.FLAG:
            yield _check(text, is_flag(text), "is neither true nor false")
        case Kind.NUMBER:
            yield _check(text, is_number(text), "is not a number, such as 12.5")
        case Kind.TEXT | Kind.NAME:
            pass


def _check(text: str, is_good: str, reason: str) -> Check:
    return Check("", _given_and_not(text, is_good), reason)


def is_date(text: str) -> str:
    """The condition under which a text is a date that exists, written as CRMs write it."""
    return f"{text} LIKE '____-__-__' AND pg_input_is_valid({text}, 'date')"


def is_instant(text: str) -> str:
    """The same for a moment."""
    return f"{text} LIKE '____-__-__T__:__:__%%' AND pg_input_is_valid({text}, 'timestamptz')"


def _number_check(text: str, reason: str, least: str, most: str) -> Check:
    # One condition for both kinds of trouble: it is asked of every row, and which of the two it was only of the bad ones.
    kind = f"CASE WHEN {is_number(text)} THEN '{ViolationKind.RANGE}' ELSE '{ViolationKind.TYPE}' END"
    return Check("", _given_and_not(text, _number_between(text, least, most)), reason, kind)


def _year_check(text: str) -> Check:
    # As text, without a cast: what is no date at all is told first, and both begin with four digits.
    is_good = f"""left({text}, 4) COLLATE "C" BETWEEN '{_FIRST_YEAR}' AND '{_LAST_YEAR}'"""
    reason = f"is outside the years {_FIRST_YEAR} to {_LAST_YEAR}; enter the year that was meant"
    return Check("", _given_and_not(text, is_good), reason, _OUT_OF_RANGE)


def is_flag(text: str) -> str:
    """The condition under which a text is a boolean."""
    return f"lower({text}) IN ('true', 'false')"


def _given_and_not(text: str, is_good: str) -> str:
    return f"{text} IS NOT NULL AND NOT ({is_good})"


def _number_between(text: str, least: str, most: str) -> str:
    # CASE keeps the cast behind the test.
    return f"CASE WHEN {is_number(text)} THEN {text}::numeric BETWEEN {least} AND {most} ELSE false END"


def is_number(text: str) -> str:
    """The condition under which a text is a plain number: PostgreSQL reads NaN, Infinity, 0x1F and 1_000 as numbers too."""
    return f"translate({text}, '0123456789.-+eE', '') = '' AND pg_input_is_valid({text}, 'numeric')"


_CUSTOM_TESTS: dict[Kind, Callable[[str], str]] = {
    **dict.fromkeys((Kind.NUMBER, Kind.MONEY, Kind.COUNT, Kind.PERCENT), is_number),
    Kind.FLAG: is_flag,
    Kind.DATE: is_date,
    Kind.INSTANT: is_instant,
}
