"""An object's declaration as a mapping changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crm_sync.connectors.base import Column, CustomField, FieldDescription, Kind, ObjectSpec
from crm_sync.mapping.document import Fields, complete_fields, custom_of, defaults_of, is_mappable, key_of

Descriptions = Mapping[str, FieldDescription]


def applied(spec: ObjectSpec, fields: Fields, described: Descriptions) -> ObjectSpec:
    """The object with its fields read from where ``fields`` says, and with the custom ones, typed as ``described``.

    What is mapped to nothing is not read: its column keeps what it holds.
    """
    wanted = complete_fields(spec, fields)
    if not is_mappable(spec) or wanted == defaults_of(spec):
        return spec
    columns = (_column(column, wanted[key_of(spec, column)]) for column in spec.columns)
    references = ((r, wanted[r.mapping_key]) for r in spec.references)
    return replace(
        spec,
        columns=tuple(column for column in columns if column is not None),
        references=tuple(replace(r, field=field) for r, field in references if field),
        currency_field=wanted.get("currency", ""),
        custom=tuple(_custom(key, field, described) for key, field in custom_of(spec, wanted).items()),
    )


def _column(column: Column, field: str) -> Column | None:
    if not field:
        return None
    if field == column.fields[0]:
        return column
    # A name falls back on the fields that the connector knows, so that a row without the chosen one still has a name.
    others = column.fields if column.kind is Kind.NAME else ()
    return replace(column, fields=tuple(dict.fromkeys((field, *others))))


def _custom(key: str, field: str, described: Descriptions) -> CustomField:
    description = described.get(field)
    return CustomField(key, field, description.kind if description else Kind.TEXT)
