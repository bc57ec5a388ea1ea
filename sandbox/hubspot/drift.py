"""What an administrator does to a portal's properties behind a connector's back."""

import msgspec

from sandbox.hubspot.errors import HubSpotError
from sandbox.hubspot.kinds import kind_of
from sandbox.hubspot.moments import iso
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.properties import Definition, definition, option


class Drift(msgspec.Struct, forbid_unknown_fields=True):
    """One change of a kind's properties.

    ``add``: a property, as much of its definition as matters; ``remove``: archive one; ``retype``: name to [type, fieldType], the values
    stay as they are; ``options``: name to the values that it takes from now on.
    """

    name: str = msgspec.field(name="object")
    add: dict[str, object] | None = None
    remove: str | None = None
    retype: dict[str, tuple[str, str]] = {}
    options: dict[str, list[str]] = {}


def drifted(portal: Portal, drift: Drift) -> list[Definition]:
    """Make the change; gives the definitions that it touched. Records and their stamps stay as they are."""
    kind, now = kind_of(drift.name), iso(portal.now_ms())
    touched: list[Definition] = []
    if drift.add is not None:
        touched.append(definition({"name": "", "label": drift.add.get("name", ""), **drift.add}, now))
    for name, (type_, field_type) in drift.retype.items():
        touched.append(
            _found(portal, drift.name, name) | {"type": type_, "fieldType": field_type, "updatedAt": now}
        )
    for name, values in drift.options.items():
        options = [option(value, place) for place, value in enumerate(values)]
        touched.append(_found(portal, drift.name, name) | {"options": options, "updatedAt": now})
    for each in touched:
        portal.catalogue.property_save(kind, each)
    if drift.remove is not None:
        gone = _found(portal, drift.name, drift.remove) | {"archived": True, "updatedAt": now}
        portal.catalogue.property_save(kind, gone, archived=True)
        touched.append(gone)
    return touched


def _found(portal: Portal, kind: str, name: str) -> Definition:
    found = portal.catalogue.properties(kind_of(kind)).get(name)
    if found is None:
        raise HubSpotError(404, "OBJECT_NOT_FOUND", f"{kind} have no property {name}")
    return found
