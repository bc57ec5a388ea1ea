"""``/crm/v3/pipelines``, ``/crm/v3/properties`` and ``/crm/v3/schemas``: how a portal is set up."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from starlette.routing import BaseRoute

from sandbox.hubspot import pipelines
from sandbox.hubspot.calls import NOTHING, Answer, Call, batch_answer, route, within
from sandbox.hubspot.errors import HubSpotError, invalid
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.moments import iso
from sandbox.hubspot.pipelines import Body
from sandbox.hubspot.properties import Definition, definition

_MOST_NAMES = 100


Place = Annotated[int, msgspec.Meta(ge=-1, le=1_000_000)]


class StageInput(msgspec.Struct, rename="camel", omit_defaults=True):
    """A stage to make or to change."""

    label: str | None = None
    display_order: Place | None = None
    metadata: dict[str, str] | None = None
    stage_id: str | None = None


class PipelineInput(msgspec.Struct, rename="camel", omit_defaults=True):
    """A pipeline to make or to change."""

    label: str | None = None
    display_order: Place | None = None
    stages: list[StageInput] | None = None
    pipeline_id: str | None = None


class Names(msgspec.Struct):
    """Properties by their names."""

    inputs: list[dict[str, str]]


class OptionInput(msgspec.Struct, rename="camel"):
    """A value that an enumeration takes."""

    label: str
    value: str
    display_order: Place = -1
    hidden: bool = False
    description: str = ""


class PropertyInput(msgspec.Struct, rename="camel", omit_defaults=True):
    """A property to make or to change."""

    name: str | None = None
    label: str | None = None
    type: Literal["string", "number", "date", "datetime", "enumeration", "bool"] | None = None
    field_type: str | None = None
    group_name: str | None = None
    description: str | None = None
    options: list[OptionInput] | None = None
    display_order: Place | None = None
    has_unique_value: bool | None = None
    hidden: bool | None = None
    form_field: bool | None = None


class Definitions(msgspec.Struct):
    """Properties to make."""

    inputs: list[PropertyInput]


def _schema_scope(call: Call, deed: str) -> Kind:
    kind = call.kind
    name = kind.scope.rpartition(".")[2]
    call.session.require(f"crm.schemas.{name}.{deed}" if deed == "write" else f"{kind.scope}.read")
    return kind


def _stamp(call: Call) -> str:
    return iso(call.portal.now_ms())


def _pipelines(call: Call) -> object:
    kind = _schema_scope(call, "read")
    return {"results": call.portal.catalogue.pipelines(kind.name, archived=call.flag("archived"))}


def _pipeline(call: Call) -> Body:
    kind = _schema_scope(call, "read")
    return call.portal.catalogue.pipeline(kind.name, call.path["pipeline"])


def _pipeline_create(call: Call) -> Answer:
    kind, body, now = _schema_scope(call, "write"), call.decoded(PipelineInput), _stamp(call)
    if not body.label or body.stages is None:
        raise invalid("Invalid input JSON: a pipeline needs a label and stages")
    stages = [_new_stage(call, each, place) for place, each in enumerate(body.stages)]
    made = pipelines.pipeline(
        body.pipeline_id or str(call.portal.now_ms()), body.label, body.display_order or 0, stages, now
    )
    call.portal.catalogue.pipeline_save(kind.name, made)
    return Answer(HTTPStatus.CREATED, made)


def _new_stage(call: Call, body: StageInput, place: int) -> Body:
    if not body.label or body.metadata is None:
        raise invalid("Invalid input JSON: a stage needs a label and metadata")
    stage_id = body.stage_id or str(call.portal.now_ms() + place)
    order = place if body.display_order is None else body.display_order
    probability = body.metadata.get("probability", "0")
    metadata = {"isClosed": "true" if probability in {"0", "0.0", "1", "1.0"} else "false", **body.metadata}
    return pipelines.stage(stage_id, body.label, order, dict(metadata), _stamp(call))


def _pipeline_update(call: Call) -> Body:
    kind, body = _schema_scope(call, "write"), call.decoded(PipelineInput)
    found = call.portal.catalogue.pipeline(kind.name, call.path["pipeline"])
    changed = found | _given(body) | {"updatedAt": _stamp(call)}
    changed.pop("pipelineId", None)
    if body.stages is not None:
        changed["stages"] = [_new_stage(call, each, place) for place, each in enumerate(body.stages)]
    call.portal.catalogue.pipeline_save(kind.name, changed)
    return changed


def _given(body: msgspec.Struct) -> Body:
    given: Body = msgspec.to_builtins(body)
    return given


def _pipeline_delete(call: Call) -> Answer:
    kind = _schema_scope(call, "write")
    found = call.portal.catalogue.pipeline(kind.name, call.path["pipeline"])
    call.portal.catalogue.pipeline_save(kind.name, found | {"archived": True}, archived=True)
    return NOTHING


def _stages_of(body: Body) -> list[Body]:
    stages = body["stages"]
    assert isinstance(stages, list)
    return stages


def _stage_of(body: Body, stage_id: str) -> Body:
    for stage in _stages_of(body):
        if stage["id"] == stage_id:
            return stage
    raise HubSpotError(HTTPStatus.NOT_FOUND, "OBJECT_NOT_FOUND", f"Unable to find stage with id {stage_id}")


def _stages(call: Call) -> object:
    return {"results": _stages_of(_pipeline(call))}


def _stage(call: Call) -> object:
    return _stage_of(_pipeline(call), call.path["stage"])


def _stage_create(call: Call) -> Answer:
    kind, found = _schema_scope(call, "write"), _pipeline(call)
    made = _new_stage(call, call.decoded(StageInput), len(_stages_of(found)))
    call.portal.catalogue.pipeline_save(kind.name, found | {"stages": [*_stages_of(found), made]})
    return Answer(HTTPStatus.CREATED, made)


def _stage_update(call: Call) -> Body:
    """Deals of the stage stay as they are, and so do their stamps."""
    kind, found = _schema_scope(call, "write"), _pipeline(call)
    old = _stage_of(found, call.path["stage"])
    new = old | _given(call.decoded(StageInput)) | {"updatedAt": _stamp(call)}
    new.pop("stageId", None)
    stages = [new if each is old else each for each in _stages_of(found)]
    call.portal.catalogue.pipeline_save(kind.name, found | {"stages": stages})
    return new


def _stage_delete(call: Call) -> Answer:
    kind, found = _schema_scope(call, "write"), _pipeline(call)
    gone = _stage_of(found, call.path["stage"])
    stages = [each for each in _stages_of(found) if each is not gone]
    call.portal.catalogue.pipeline_save(kind.name, found | {"stages": stages})
    return NOTHING


def _properties(call: Call) -> object:
    kind = _schema_scope(call, "read")
    return {"results": list(call.portal.catalogue.properties(kind, archived=call.flag("archived")).values())}


def _named(call: Call, kind: Kind, name: str) -> Definition:
    found = call.portal.catalogue.properties(kind, archived=call.flag("archived")).get(name)
    if found is None:
        raise HubSpotError(
            HTTPStatus.NOT_FOUND, "OBJECT_NOT_FOUND", f"Property {name} was not found on {kind.type_id}"
        )
    return found


def _property(call: Call) -> Definition:
    return _named(call, _schema_scope(call, "read"), call.path["name"])


def _property_create(call: Call) -> Answer:
    kind = _schema_scope(call, "write")
    return Answer(HTTPStatus.CREATED, _property_made(call, kind, call.decoded(PropertyInput)))


def _property_made(call: Call, kind: Kind, body: PropertyInput) -> Definition:
    given = _given(body)
    missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not given.get(name)]
    if missing:
        raise invalid(f"Invalid input JSON: a property needs {', '.join(missing)}")
    if given["name"] in call.portal.catalogue.properties(kind):
        raise HubSpotError(
            HTTPStatus.CONFLICT,
            "OBJECT_ALREADY_EXISTS",
            f"A property named '{given['name']}' already exists.",
        )
    made = definition(given, _stamp(call))
    call.portal.catalogue.property_save(kind, made)
    return made


def _property_update(call: Call) -> Definition:
    kind, given = _schema_scope(call, "write"), _given(call.decoded(PropertyInput))
    changed = (
        _named(call, kind, call.path["name"]) | given | {"name": call.path["name"], "updatedAt": _stamp(call)}
    )
    call.portal.catalogue.property_save(kind, changed)
    return changed


def _property_delete(call: Call) -> Answer:
    kind = _schema_scope(call, "write")
    found = _named(call, kind, call.path["name"])
    if found["hubspotDefined"]:
        raise invalid(f"{found['name']} is defined by HubSpot and cannot be archived")
    call.portal.catalogue.property_save(
        kind, found | {"archived": True, "archivedAt": _stamp(call)}, archived=True
    )
    return NOTHING


def _property_batch_read(call: Call) -> Answer:
    kind, body = _schema_scope(call, "read"), call.decoded(Names)
    within(body.inputs, _MOST_NAMES)
    known = call.portal.catalogue.properties(kind)
    names = [each.get("name", "") for each in body.inputs]
    errors = [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": f"Property {name} was not found",
            "context": {"name": [name]},
        }
        for name in names
        if name not in known
    ]
    return batch_answer(call, [known[name] for name in names if name in known], errors)


def _property_batch_create(call: Call) -> Answer:
    kind, body = _schema_scope(call, "write"), call.decoded(Definitions)
    within(body.inputs, _MOST_NAMES)
    return batch_answer(
        call, [_property_made(call, kind, each) for each in body.inputs], status=HTTPStatus.CREATED
    )


def _groups(call: Call) -> object:
    _schema_scope(call, "read")
    return {
        "results": [{"name": "information", "label": "Information", "displayOrder": 0, "archived": False}]
    }


def _schema(call: Call, kind: Kind) -> Body:
    return {
        "id": kind.type_id, "objectTypeId": kind.type_id, "name": kind.singular.upper(), "fullyQualifiedName": kind.singular.upper(),
        "labels": {"singular": kind.singular.capitalize(), "plural": kind.name.capitalize()}, "archived": False,
        "primaryDisplayProperty": kind.shown[-1], "requiredProperties": [], "searchableProperties": list(kind.shown),
        "properties": list(call.portal.catalogue.properties(kind).values()), "associations": [],
    }  # fmt: skip


def _schemas(call: Call) -> object:
    """HubSpot lists only a portal's own kinds here, and these portals have none."""
    call.session.require("crm.objects.contacts.read")
    return {"results": []}


def _one_schema(call: Call) -> object:
    return _schema(call, _schema_scope(call, "read"))


_PIPELINES, _PROPERTIES = "/crm/v3/pipelines/{kind}", "/crm/v3/properties/{kind}"
_STAGES = _PIPELINES + "/{pipeline}/stages"
ROUTES: list[BaseRoute] = [
    route("GET", _PIPELINES, _pipelines),
    route("POST", _PIPELINES, _pipeline_create),
    route("GET", _PIPELINES + "/{pipeline}", _pipeline),
    route("PATCH PUT", _PIPELINES + "/{pipeline}", _pipeline_update),
    route("DELETE", _PIPELINES + "/{pipeline}", _pipeline_delete),
    route("GET", _STAGES, _stages),
    route("POST", _STAGES, _stage_create),
    route("GET", _STAGES + "/{stage}", _stage),
    route("PATCH PUT", _STAGES + "/{stage}", _stage_update),
    route("DELETE", _STAGES + "/{stage}", _stage_delete),
    route("GET", _PROPERTIES, _properties),
    route("POST", _PROPERTIES, _property_create),
    route("GET", f"{_PROPERTIES}/groups", _groups),
    route("POST", f"{_PROPERTIES}/batch/read", _property_batch_read),
    route("POST", f"{_PROPERTIES}/batch/create", _property_batch_create),
    route("GET", _PROPERTIES + "/{name}", _property),
    route("PATCH", _PROPERTIES + "/{name}", _property_update),
    route("DELETE", _PROPERTIES + "/{name}", _property_delete),
    *(route("GET", at, _schemas) for at in ("/crm/v3/schemas", "/crm-object-schemas/v3/schemas")),
    *(
        route("GET", at + "/{kind}", _one_schema)
        for at in ("/crm/v3/schemas", "/crm-object-schemas/v3/schemas")
    ),
]
