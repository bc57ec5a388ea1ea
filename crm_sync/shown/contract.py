"""Contract violations in the words of the page, the command and the sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_sync.engine.contract import FIELD_KINDS
from crm_sync.models import Connection, ContractViolation, ViolationKind
from pages.objects import Badge
from pages.templatetags.formats import count, local_time

WHAT_TO_DO: Mapping[ViolationKind, str] = {
    ViolationKind.REMOVED: "Give the field back in the CRM or show it to the integration user, or map another one. "
    "Until then rows keep their last values.",
    ViolationKind.ADDED: "Map it if you want it here, or save the mapping as it is to accept it.",
    ViolationKind.RETYPED: "Map a field of the old type, or save the mapping to accept the new one.",
    ViolationKind.OPTIONS: "Give these rows another option in the CRM, or save the mapping to accept the new list.",
    ViolationKind.NULLABLE: "Make the field required in the CRM again: rows without a value are kept aside.",
    ViolationKind.TYPE: "Mend the values in the CRM, or map a field of another type.",
    ViolationKind.REQUIRED: "Fill the field in these rows of the CRM.",
    ViolationKind.RANGE: "Mend the values in the CRM.",
    ViolationKind.PICKLIST: "Choose one of the options in these rows of the CRM, or add the option to the picklist.",
    ViolationKind.REFERENCE: "Point these rows at something that exists, or show it to the integration user.",
}
"""One sentence for each kind."""


@dataclass(frozen=True, slots=True)
class Example:
    """A row that breaks the contract; ``href`` leads to it in the CRM, where its address is known."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class ViolationRow:
    """A violation in the list."""

    object: str
    field: str
    kind: Badge
    wrong: str
    rows: str
    examples: Sequence[Example]
    since: str
    what_to_do: str


def violation_row(violation: ContractViolation, connection: Connection, zone: str) -> ViolationRow:
    """A violation, told."""
    is_over = violation.resolved_at is not None
    span = local_time(violation.detected_at, zone)
    return ViolationRow(
        object=violation.object_name,
        field=violation.field or "the whole object",
        kind=badge_of(violation),
        wrong=wrong_told(violation),
        rows=rows_told(violation),
        examples=[
            Example(key, record_url(connection, violation.object_name, key)) for key in violation.examples
        ],
        since=f"{span} to {local_time(violation.resolved_at, zone)}" if is_over else span,
        what_to_do="It is over." if is_over else WHAT_TO_DO[ViolationKind(violation.kind)],
    )


def wrong_told(violation: ContractViolation) -> str:
    """What was expected and what is there, as one sentence."""
    if violation.expected.startswith(
        "is "
    ):  # the reason why rows are kept aside, which is the end of a sentence
        value = f"“{violation.found}” " if violation.found else ""
        return f"{value or 'It '}{violation.expected}."
    return f"Expected {violation.expected}; found {violation.found or 'nothing'}."


def badge_of(violation: ContractViolation) -> Badge:
    """Its kind; resolved ones are grey."""
    label = ViolationKind(violation.kind).label
    if violation.resolved_at is not None:
        return Badge(label, "neutral", "check")
    is_of_field = violation.kind in FIELD_KINDS and violation.kind != ViolationKind.ADDED
    return Badge(
        label, "danger" if is_of_field else "warning", "alert-circle" if is_of_field else "alert-triangle"
    )


def rows_told(violation: ContractViolation) -> str:
    """How many rows it concerns; a field's own trouble concerns them all."""
    return count(violation.rows, "row") if violation.rows else "the field itself"


def record_url(connection: Connection, object_name: str, external_id: str) -> str:
    """The page of a row in the CRM; "" where it cannot be known."""
    if external_id.startswith("no id"):
        return ""
    if connection.source == "salesforce" and connection.login_url:
        return f"{connection.login_url.rstrip('/')}/{external_id}"
    kind = {"companies": "0-2", "contacts": "0-1", "deals": "0-3"}.get(object_name)
    if connection.source == "hubspot" and connection.portal_id and kind:
        return f"https://app.hubspot.com/contacts/{connection.portal_id}/record/{kind}/{external_id}"
    return ""
