"""The kinds of records that a portal keeps, the names they go by, and how two kinds may be associated."""

from dataclasses import dataclass

from sandbox.hubspot.errors import HubSpotError


@dataclass(frozen=True)
class Kind:
    """A kind of record. ``shown`` are the properties that come when none are asked for."""

    name: str
    singular: str
    type_id: str
    created: str
    modified: str
    shown: tuple[str, ...]
    scope: str

    @property
    def always(self) -> tuple[str, str, str]:
        """The properties that come with whichever others are asked for."""
        return self.created, self.modified, "hs_object_id"

    @property
    def is_engagement(self) -> bool:
        """Whether it is something done, rather than someone or something dealt with."""
        return self.name not in _DEALT_WITH


_DEALT_WITH = {"deals", "contacts", "companies"}
_DEAL_PROPERTIES = ("amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate",
                    "hs_object_id", "pipeline")  # fmt: skip
_CONTACT_PROPERTIES = ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname")
_COMPANY_PROPERTIES = ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name")


def _engagement(name: str, type_id: str) -> Kind:
    shown = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")
    return Kind(name, name.removesuffix("s"), type_id, shown[0], shown[1], shown, "crm.objects.contacts")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _engagement("calls", "0-48"),
        _engagement("meetings", "0-47"),
        _engagement("emails", "0-49"),
        _engagement("notes", "0-46"),
        _engagement("tasks", "0-27"),
        Kind("deals", "deal", "0-3", "createdate", "hs_lastmodifieddate", _DEAL_PROPERTIES, "crm.objects.deals"),
        Kind("contacts", "contact", "0-1", "createdate", "lastmodifieddate", _CONTACT_PROPERTIES, "crm.objects.contacts"),
        Kind("companies", "company", "0-2", "createdate", "hs_lastmodifieddate", _COMPANY_PROPERTIES, "crm.objects.companies"),
    )
}  # fmt: skip
"""By plural name, in the order of the columns of association tables: an earlier kind is on the left."""

_BY_ANY_NAME = {text: kind for kind in KINDS.values() for text in (kind.name, kind.singular, kind.type_id)}
_ORDER = {name: place for place, name in enumerate(KINDS)}
PAIRS = [
    (left, right)
    for left in KINDS
    for right in KINDS
    if _ORDER[left] < _ORDER[right] and not KINDS[right].is_engagement
]
"""The pairs of kinds that can be associated, the left one first."""

UNLABELLED, PRIMARY = 0, 1
"""What an association's label number means; from ``FIRST_OWN_LABEL`` on they are the portal's own labels."""
FIRST_OWN_LABEL = 2

_DEFAULT_TYPES = {
    ("deals", "contacts"): 3, ("contacts", "deals"): 4,
    ("deals", "companies"): 341, ("companies", "deals"): 342,
    ("contacts", "companies"): 279, ("companies", "contacts"): 280,
    ("contacts", "calls"): 193, ("calls", "contacts"): 194, ("contacts", "emails"): 197, ("emails", "contacts"): 198,
    ("contacts", "meetings"): 199, ("meetings", "contacts"): 200, ("contacts", "notes"): 201, ("notes", "contacts"): 202,
    ("contacts", "tasks"): 203, ("tasks", "contacts"): 204, ("companies", "calls"): 181, ("calls", "companies"): 182,
    ("companies", "emails"): 185, ("emails", "companies"): 186, ("companies", "meetings"): 187,
    ("meetings", "companies"): 188, ("companies", "notes"): 189, ("notes", "companies"): 190,
    ("companies", "tasks"): 191, ("tasks", "companies"): 192, ("deals", "calls"): 205, ("calls", "deals"): 206,
    ("deals", "emails"): 209, ("emails", "deals"): 210, ("deals", "meetings"): 211, ("meetings", "deals"): 212,
    ("deals", "notes"): 213, ("notes", "deals"): 214, ("deals", "tasks"): 215, ("tasks", "deals"): 216,
}  # fmt: skip
_PRIMARY_TYPES = {
    ("contacts", "companies"): 1, ("companies", "contacts"): 2, ("deals", "companies"): 5, ("companies", "deals"): 6,
}  # fmt: skip


def kind_of(text: str) -> Kind:
    """The kind that goes by a plural or singular name or a type id. Raises: HubSpotError."""
    kind = _BY_ANY_NAME.get(text.lower())
    if kind is None:
        raise HubSpotError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {text}")
    return kind


def table_of(one: Kind, other: Kind) -> tuple[str, bool]:
    """The table of a pair's associations, and whether ``one`` is on its left. Raises: HubSpotError, if there is none."""
    is_left = _ORDER[one.name] < _ORDER[other.name]
    pair = (one.name, other.name) if is_left else (other.name, one.name)
    if pair not in PAIRS:
        message = f"No association definitions exist between {one.type_id} and {other.type_id}"
        raise HubSpotError(400, "VALIDATION_ERROR", message)
    return "_".join(pair), is_left


def associated_with(kind: Kind) -> list[Kind]:
    """The kinds that records of a kind can be associated with."""
    return [
        other for other in KINDS.values() if {(kind.name, other.name), (other.name, kind.name)} & set(PAIRS)
    ]


def has_primary(one: Kind, other: Kind) -> bool:
    """Whether one of the associations of such a pair can be the primary one."""
    return (one.name, other.name) in _PRIMARY_TYPES


def defined_type(one: Kind, other: Kind, label: int) -> int:
    """The number of HubSpot's own association type from ``one`` to ``other``: the plain or the primary one."""
    return (_PRIMARY_TYPES if label == PRIMARY else _DEFAULT_TYPES)[one.name, other.name]
