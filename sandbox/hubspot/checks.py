"""What values the API takes. The control commands bypass this: a portal may hold anything."""

from collections.abc import Mapping

from sandbox.hubspot.changes import Change, Values, text_of
from sandbox.hubspot.errors import invalid, invalid_values
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.moments import iso, milliseconds_of
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.properties import Definition

_UNIQUE = {"contacts": {"email"}}


def checked(change: Change, kind: Kind, properties: Mapping[str, object]) -> Values:
    """Values as they are kept. Raises: HubSpotError, that names every property whose value does not do."""
    known = change.portal.catalogue.properties(kind)
    problems, values = [], {}
    for name, value in properties.items():
        definition = known.get(name)
        text = text_of(value)
        problem = _problem(change.portal, name, definition, text)
        if problem is not None:
            problems.append(problem | {"name": name})
        elif definition is not None:
            values[name] = _spelt(definition, text)
    if problems:
        raise invalid_values(problems)
    return values


def _problem(
    portal: Portal, name: str, definition: Definition | None, text: str | None
) -> dict[str, str] | None:
    if definition is None:
        return {"message": f'Property "{name}" does not exist', "error": "PROPERTY_DOESNT_EXIST"}
    metadata = definition["modificationMetadata"]
    if isinstance(metadata, dict) and metadata["readOnlyValue"]:
        return {
            "message": f'"{name}" is a read only property; its value cannot be set.',
            "error": "READ_ONLY_VALUE",
        }
    if not text:
        return None
    if definition["type"] == "number" and not _is_number(text):
        return {"message": f"{text} was not a valid number.", "error": "INVALID_DOUBLE"}
    if definition["type"] in {"date", "datetime"} and milliseconds_of(text) is None:
        return {"message": f"{text} was not a valid long.", "error": "INVALID_LONG"}
    return _problem_of_option(portal, definition, text)


def _problem_of_option(portal: Portal, definition: Definition, text: str) -> dict[str, str] | None:
    options = definition["options"]
    assert isinstance(options, list)
    allowed = {option["value"] for option in options}
    if definition["name"] == "pipeline":
        allowed = {str(body["id"]) for body in portal.catalogue.pipelines("deals")}
    if definition["name"] == "dealstage":
        allowed = {str(stage["id"]) for _, stage in portal.catalogue.stages("deals")}
    if not allowed or all(part in allowed for part in text.split(";")):
        return None
    message = f"{text} was not one of the allowed options: [{', '.join(sorted(allowed))}]"
    return {"message": message, "error": "INVALID_OPTION"}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _spelt(definition: Definition, text: str | None) -> str | None:
    """Moments are kept as ISO text, whether they came so or as milliseconds."""
    if text and definition["type"] in {"date", "datetime"}:
        stamp = iso(milliseconds_of(text) or 0)
        return stamp[:10] if definition["type"] == "date" else stamp
    return text or None


def id_property_of(portal: Portal, kind: Kind, name: str | None) -> str | None:
    """The property that stands in for ids, None for the id itself. Raises: HubSpotError, unless its values are unique."""
    if name in {None, "", "hs_object_id"}:
        return None
    assert name is not None
    definition = portal.catalogue.properties(kind).get(name)
    if definition is None or not (definition["hasUniqueValue"] or name in _UNIQUE.get(kind.name, ())):
        raise invalid(f"{name} is not a unique property of {kind.singular.upper()}")
    return name
