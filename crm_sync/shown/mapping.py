"""A field mapping in the words of its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crm_sync.connectors.base import FieldDescription, ObjectSpec
from crm_sync.mapping.applied import Descriptions
from crm_sync.mapping.document import Fields, Slot, complete_fields, slots_of
from crm_sync.mapping.fitting import is_offered, words_of
from crm_sync.mapping.trial import Trial, TriedRow
from crm_sync.models import FieldMap
from crm_sync.shown import url
from pages.objects import Action, Badge, Page
from pages.templatetags.formats import count, local_time
from rbac.redaction.reading import Redactor
from tenants.models import Tenant

BLANK_ROWS = 3
_LONGEST_SAMPLE = 40
# Types of a CRM whose values look like telephone numbers and are none.
_NAMING_NOBODY = frozenset({"id", "reference", "currency", "date", "datetime"})


@dataclass(frozen=True, slots=True)
class Tab:
    """An object whose mapping can be looked at."""

    label: str
    url: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Option:
    """A CRM field to choose: its name, and what helps to find it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One of our fields and the CRM field that it is read from."""

    key: str
    field: str
    needs: str
    type: str
    badges: Sequence[Badge]
    samples: str
    is_fixed: bool
    is_required: bool
    error: str


@dataclass(frozen=True, slots=True)
class CustomRow:
    """A custom field: ``place`` tells the rows of the form apart."""

    place: int
    key: str
    field: str
    type: str
    badges: Sequence[Badge]
    samples: str
    error: str


@dataclass(frozen=True, slots=True)
class TriedLine:
    """A row of the CRM as it would be mirrored: one text a column; or why it would be kept aside."""

    external_id: str
    cells: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class TrialTable:
    """The newest rows under the mapping that is typed in the form."""

    summary: str
    heads: Sequence[str]
    lines: Sequence[TriedLine]
    kept: Sequence[TriedLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingPage(Page):
    """The mapping of one object."""

    object_name: str
    tabs: Sequence[Tab]
    version: str
    base_version: int
    problem: str
    refused: str
    can_edit: bool
    rows: Sequence[FieldRow]
    custom: Sequence[CustomRow]
    options: Sequence[Option]
    trial: TrialTable | None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version in the history."""

    version: str
    when: str
    by: str
    note: str
    changes: Sequence[str]
    more: str
    badge: Badge | None
    restore: Action | None


@dataclass(frozen=True)
class Typed:
    """What the form holds: of an object its fields, the rows of custom fields as they were typed, and what is wrong with them."""

    fields: Fields
    custom: Sequence[tuple[str, str]]
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What is known of an object's fields: nothing, where the CRM could not be asked. Samples are shown as the reader may see them."""

    described: Descriptions
    samples: Sequence[Mapping[str, str]]
    redactor: Redactor

    def row(self, name: str) -> tuple[str, Sequence[Badge], str]:
        """Type, badges and samples of a CRM field."""
        found = self.described.get(name)
        samples = list(dict.fromkeys(row[name] for row in self.samples if row.get(name)))
        if found is None or found.type not in _NAMING_NOBODY:
            samples = [self.redactor.row(name).text(value) for value in samples]
        shown = " · ".join(map(_short, samples))
        return (found.type if found else "", _badges(found, name) if self.described else [], shown)


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST_SAMPLE else f"{line[:_LONGEST_SAMPLE]}…"


def _badges(found: FieldDescription | None, name: str) -> list[Badge]:
    if not name:
        return [Badge("Not read", "neutral")]
    if found is None:
        return [Badge("Not in the CRM", "warning", "alert-triangle")]
    badges = []
    if found.is_custom:
        badges.append(Badge("Custom", "info"))
    if found.is_calculated:
        badges.append(Badge("Calculated", "neutral"))
    return badges


def refused_line(typed: Typed) -> str:
    """What stands above a form that cannot be used as it was typed; "" where it can."""
    wrong = len(typed.errors)
    return (
        f"{count(wrong, 'field')} cannot be used as typed: {'it is' if wrong == 1 else 'they are'} marked below."
        if wrong
        else ""
    )


def typed_of(spec: ObjectSpec, fields: Fields) -> Typed:
    """A mapping as the form shows it first."""
    ours = slots_of(spec)
    whole = complete_fields(spec, fields)
    return Typed(whole, sorted((key, name) for key, name in whole.items() if key not in ours))


def field_rows(spec: ObjectSpec, typed: Typed, known: Known) -> list[FieldRow]:
    """Our fields."""
    return [_field_row(slot, typed, known) for slot in slots_of(spec).values()]


def _field_row(slot: Slot, typed: Typed, known: Known) -> FieldRow:
    name = typed.fields.get(slot.key, slot.default)
    kind, badges, samples = known.row(name)
    return FieldRow(
        key=slot.key, field=name, needs=_needs(slot), type=kind, badges=badges, samples=samples,
        is_fixed=slot.is_fixed, is_required=slot.is_required, error=typed.errors.get(slot.key, ""),
    )  # fmt: skip


def _needs(slot: Slot) -> str:
    return "the row's own id" if slot.kind is None and slot.is_fixed else words_of(slot.kind)


def custom_rows(typed: Typed, known: Known) -> list[CustomRow]:
    """Custom fields, and a few empty rows for more."""
    rows = [*typed.custom, *[("", "")] * BLANK_ROWS]
    return [
        CustomRow(
            place,
            key,
            name,
            *(known.row(name) if name else ("", [], "")),
            error=_custom_error(typed, place, key),
        )
        for place, (key, name) in enumerate(rows)
    ]


def _custom_error(typed: Typed, place: int, key: str) -> str:
    return typed.errors.get(f"#{place}") or (typed.errors.get(key, "") if key else "")


def options_of(described: Descriptions) -> list[Option]:
    """The CRM fields to choose from, by label."""
    offered = sorted(
        (found for found in described.values() if is_offered(found)), key=lambda one: one.label.lower()
    )
    return [Option(found.name, _option_label(found)) for found in offered]


def _option_label(found: FieldDescription) -> str:
    extra = ", ".join(
        word for word, holds in (("custom", found.is_custom), ("calculated", found.is_calculated)) if holds
    )
    return f"{found.label} ({found.type}{', ' if extra else ''}{extra})"


def trial_table(trial: Trial, redactor: Redactor) -> TrialTable:
    """What came of trying, as the redactor's reader may see it."""
    kept = [_kept_line(row, redactor.row(row.external_id)) for row in trial.rows if row.reason]
    lines = [
        _tried_line(row, trial.keys, redactor.row(row.external_id)) for row in trial.rows if not row.reason
    ]
    if not trial.rows:
        return TrialTable("The CRM has no row of this object yet.", [], [], [])
    summary = f"{len(lines)} of {len(trial.rows)} rows would be loaded"
    summary += (
        f", {len(kept)} kept aside. Nothing was stored." if kept else ", none kept aside. Nothing was stored."
    )
    return TrialTable(summary, list(trial.keys), lines, kept)


def _kept_line(row: TriedRow, see: Redactor) -> TriedLine:
    return TriedLine(row.external_id, [], f"{row.field} {see.text(row.reason)}.")


def _tried_line(row: TriedRow, keys: Sequence[str], see: Redactor) -> TriedLine:
    cells = [_cell(see.text(row.values.get(key, "")), key in row.odd) for key in keys]
    return TriedLine(row.external_id, cells, "")


def _cell(text: str, is_odd: bool) -> str:
    return "(does not fit its type: left empty)" if is_odd else _short(text)


def version_line(version: FieldMap | None, zone: str) -> str:
    """The version in force, in words."""
    if version is None:
        return "The default mapping; nothing was changed yet."
    if version.version == 0:
        return f"The default mapping, as the sync of {local_time(version.saved_at, zone)} found the fields."
    note = f": {version.note}" if version.note else ""
    return f"Version {version.version}, saved by {version.saved_by} on {local_time(version.saved_at, zone)}{note}."


def tabs(tenant: Tenant, source: str, names: Sequence[str], active: str) -> list[Tab]:
    """One tab an object."""
    where = url("mapping", tenant, source=source)
    return [Tab(name, f"{where}?object={name}", name == active) for name in names]
