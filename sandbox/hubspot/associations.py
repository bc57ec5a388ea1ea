"""``/crm/v4/associations/…`` and its older relative: who is associated with whom, with which labels."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.routing import BaseRoute

from sandbox.hubspot.calls import NOTHING, Answer, Call, Id, batch_answer, number_of, paged, route, within
from sandbox.hubspot.catalogue import AssociationType, Label
from sandbox.hubspot.changes import Change, changing
from sandbox.hubspot.errors import HubSpotError, invalid, no_such_object
from sandbox.hubspot.kinds import UNLABELLED, Kind, kind_of, table_of
from sandbox.hubspot.linking import Link, label_of, link, unlink
from sandbox.hubspot.objects import TypeOfAssociation
from sandbox.hubspot.reading import Shown, linked

_MOST_READ, _MOST_WRITTEN, _MOST_ON_A_PAGE, _MOST_OLD = 1000, 2000, 500, 100


class From(msgspec.Struct):
    """A record whose associations are wanted, and from which one on."""

    id: Id
    after: Id | None = None


class Read(msgspec.Struct):
    """Whose associations are wanted."""

    inputs: list[From]


class End(msgspec.Struct):
    """A record at one end."""

    id: Id


class Pair(msgspec.Struct):
    """Two records to associate. ``types`` is the newer way to say how, ``type`` the older."""

    from_: End = msgspec.field(name="from")
    to: End
    types: list[TypeOfAssociation] = []
    type: str = ""


class Pairs(msgspec.Struct):
    """Records to associate."""

    inputs: list[Pair]


class Several(msgspec.Struct):
    """A record and those that it is to be parted from."""

    from_: End = msgspec.field(name="from")
    to: list[End]


class Partings(msgspec.Struct):
    """Associations to end."""

    inputs: list[Several]


class LabelInput(msgspec.Struct, rename="camel"):
    """A label to make or to change."""

    label: str
    name: str = ""
    inverse_label: str | None = None
    association_type_id: int = 0


def _pair(call: Call, deed: str) -> tuple[Kind, Kind]:
    """The two kinds of an address. Raises: HubSpotError MISSING_SCOPES, or where they cannot be associated."""
    one, other = kind_of(call.path["kind"]), kind_of(call.path["other"])
    table_of(one, other)
    call.session.require(f"{one.scope}.{deed}", f"{other.scope}.{deed}")
    return one, other


def _shown_id(call: Call, number: int) -> Id:
    return number if call.portal.switches.number_ids else str(number)


def _grouped(call: Call, one: Kind, other: Kind, links: Sequence[tuple[int, int]]) -> list[Shown]:
    """Associated records, each once with all its association types, in order of their ids."""
    types = call.portal.catalogue.association_types(one, other)
    found: dict[int, list[object]] = {}
    for to_id, label in links:
        if label in types:
            found.setdefault(to_id, []).append(types[label].shown())
    return [
        {"toObjectId": _shown_id(call, to_id), "associationTypes": shown} for to_id, shown in found.items()
    ]


def _cut(shown: list[Shown], after: int, most: int) -> tuple[list[Shown], str | None]:
    """A page of associated records that come after an id, and where the next page begins."""
    rest = [each for each in shown if int(str(each["toObjectId"])) > after]
    return rest[:most], str(rest[most - 1]["toObjectId"]) if len(rest) > most else None


def _batch_read(call: Call) -> Answer:
    one, other = _pair(call, "read")
    inputs = call.decoded(Read).inputs
    within(inputs, _MOST_READ)
    wanted = [(number_of(each.id), number_of(each.after or 0), each) for each in inputs]
    found = linked(call.portal, one, other, [here for here, _, _ in wanted])
    results, missing = [], []
    for here, start, each in wanted:
        links = found.get(here)
        if links is None:
            missing.append(str(each.id))
            continue
        page, after = _cut(_grouped(call, one, other, links), start, _MOST_ON_A_PAGE)
        paging = {"paging": {"next": {"after": after, "link": f"?after={after}"}}} if after else {}
        results.append({"from": {"id": str(each.id)}, "to": page, **paging})
    return batch_answer(call, results, [_none_found(one, other, key) for key in missing])


def _none_found(one: Kind, other: Kind, key: str) -> dict[str, object]:
    """A batch tells of a record without associations as of an error."""
    return {
        "status": "error", "category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {other.singular} is associated with {one.singular} {key}.",
        "context": {"fromObjectId": [key], "fromObjectType": [one.singular], "toObjectType": [other.singular]},
    }  # fmt: skip


def _list(call: Call) -> object:
    one, other = _pair(call, "read")
    here = number_of(call.path["id"])
    sql = f"SELECT 1 FROM {one.name} WHERE id = ? AND archived_ms IS NULL"
    if call.portal.store.row(sql, (here,)) is None:
        raise no_such_object()
    links = linked(call.portal, one, other, [here]).get(here, [])
    after = number_of(call.query.get("after") or 0)
    page, following = _cut(
        _grouped(call, one, other, links), after, call.number("limit", 500, _MOST_ON_A_PAGE)
    )
    return paged(page, following)


def _labels_of(change: Change, one: Kind, other: Kind, types: Sequence[TypeOfAssociation]) -> list[int]:
    return [label_of(change, one, other, each.category, each.type_id) for each in types] or [UNLABELLED]


def _associate(call: Call, labels: Callable[[Change, Pair], list[int]]) -> Answer:
    one, other = _pair(call, "write")
    inputs = call.decoded(Pairs).inputs
    within(inputs, _MOST_WRITTEN)
    results: list[object] = []
    errors: list[object] = []
    with changing(call.portal) as change:
        for each in inputs:
            try:
                chosen = labels(change, each)
                for label in chosen:
                    link(change, Link(one, other, number_of(each.from_.id), number_of(each.to.id), label))
            except HubSpotError as error:
                errors.append(error.body())
                continue
            results.append(_made(call, one, other, each, chosen))
    return batch_answer(call, results, errors, status=HTTPStatus.CREATED)


def _made(call: Call, one: Kind, other: Kind, pair: Pair, labels: Sequence[int]) -> Shown:
    known = call.portal.catalogue.association_types(one, other)
    names = [known[label].label for label in labels if known[label].label]
    return {"fromObjectTypeId": one.type_id, "fromObjectId": _shown_id(call, number_of(pair.from_.id)), "labels": names,
            "toObjectTypeId": other.type_id, "toObjectId": _shown_id(call, number_of(pair.to.id))}  # fmt: skip


def _batch_create(call: Call) -> Answer:
    one, other = kind_of(call.path["kind"]), kind_of(call.path["other"])
    return _associate(call, lambda change, pair: _labels_of(change, one, other, pair.types))


def _batch_default(call: Call) -> Answer:
    return _associate(call, lambda *_: [UNLABELLED])


def _batch_archive(call: Call) -> Answer:
    one, other = _pair(call, "write")
    inputs = call.decoded(Partings).inputs
    within(inputs, _MOST_WRITTEN)
    with changing(call.portal) as change:
        for each in inputs:
            for end in each.to:
                unlink(change, Link(one, other, number_of(each.from_.id), number_of(end.id)), all_labels=True)
    return NOTHING


def _batch_labels_archive(call: Call) -> Answer:
    one, other = _pair(call, "write")
    inputs = call.decoded(Pairs).inputs
    within(inputs, _MOST_WRITTEN)
    with changing(call.portal) as change:
        for each in inputs:
            for label in _labels_of(change, one, other, each.types):
                wanted = Link(one, other, number_of(each.from_.id), number_of(each.to.id), label)
                unlink(change, wanted, all_labels=label == UNLABELLED)
    return NOTHING


def _put_default(call: Call) -> object:
    one, other = _pair(call, "write")
    ids = number_of(call.path["id"]), number_of(call.path["to"])
    with changing(call.portal) as change:
        link(change, Link(one, other, *ids))
    plain = call.portal.catalogue.association_types(one, other)[UNLABELLED]
    made = {"from": {"id": str(ids[0])}, "to": {"id": str(ids[1])},
            "associationSpec": {"associationCategory": plain.category, "associationTypeId": plain.type_id}}  # fmt: skip
    return batch_answer(call, [made]).body


def _put(call: Call) -> Answer:
    one, other = _pair(call, "write")
    ids = number_of(call.path["id"]), number_of(call.path["to"])
    types = call.decoded(list[TypeOfAssociation])
    with changing(call.portal) as change:
        labels = _labels_of(change, one, other, types)
        for label in labels:
            link(change, Link(one, other, *ids, label))
    pair = Pair(End(ids[0]), End(ids[1]))
    return Answer(HTTPStatus.CREATED, _made(call, one, other, pair, labels))


def _delete(call: Call) -> Answer:
    one, other = _pair(call, "write")
    with changing(call.portal) as change:
        unlink(
            change, Link(one, other, number_of(call.path["id"]), number_of(call.path["to"])), all_labels=True
        )
    return NOTHING


def _labels(call: Call) -> object:
    one, other = _pair(call, "read")
    return {
        "results": [each.shown() for each in call.portal.catalogue.association_types(one, other).values()]
    }


def _label_create(call: Call) -> object:
    one, other = _pair(call, "write")
    body = call.decoded(LabelInput)
    is_left = table_of(one, other)[1]
    texts = body.label, body.inverse_label or body.label
    left, right = (one, other) if is_left else (other, one)
    label = call.portal.catalogue.label_add(
        left.name, right.name, *(texts if is_left else texts[::-1]), body.name
    )
    types = call.portal.catalogue.association_types
    return {"results": [types(one, other)[label.number].shown(), types(other, one)[label.number].shown()]}


def _label_update(call: Call) -> Answer:
    one, other = _pair(call, "write")
    body = call.decoded(LabelInput)
    label, is_left = _own_label(call, one, other, body.association_type_id), table_of(one, other)[1]
    far = body.inverse_label or (label.right_label if is_left else label.left_label)
    texts = (body.label, far) if is_left else (far, body.label)
    call.portal.catalogue.label_rename(label.number, *texts)
    return NOTHING


def _label_delete(call: Call) -> Answer:
    one, other = _pair(call, "write")
    call.portal.catalogue.label_remove(_own_label(call, one, other, number_of(call.path["type_id"])))
    return NOTHING


def _own_label(call: Call, one: Kind, other: Kind, type_id: int) -> Label:
    """The portal's own label of a type number. Raises: HubSpotError, where it has none of that number."""
    types = call.portal.catalogue.association_types(one, other)
    for label in call.portal.catalogue.labels:
        if label.number in types and types[label.number].type_id == type_id:
            return label
    raise invalid(f"Association type {type_id} is not a label that can be changed")


def _old_batch_read(call: Call) -> Answer:
    one, other = _pair(call, "read")
    inputs = call.decoded(Read).inputs
    within(inputs, _MOST_READ)
    found = linked(call.portal, one, other, [number_of(each.id) for each in inputs])
    types = call.portal.catalogue.association_types(one, other)
    results = []
    for each in inputs:
        shown = _old_shown(types, found.get(number_of(each.id), []))
        if shown:
            after = shown[_MOST_OLD]["id"] if len(shown) > _MOST_OLD else None
            paging = {"paging": {"next": {"after": after, "link": f"?after={after}"}}} if after else {}
            results.append({"from": {"id": str(each.id)}, "to": shown[:_MOST_OLD], **paging})
    missing = [str(each.id) for each in inputs if number_of(each.id) not in found]
    return batch_answer(call, results, [_none_found(one, other, key) for key in missing])


def _old_shown(types: Mapping[int, AssociationType], links: Sequence[tuple[int, int]]) -> list[Shown]:
    return [{"id": str(to_id), "type": types[label].name} for to_id, label in links if label in types]


def _old_batch_create(call: Call) -> Answer:
    one, other = kind_of(call.path["kind"]), kind_of(call.path["other"])
    names = {each.name: label for label, each in call.portal.catalogue.association_types(one, other).items()}
    plain = f"{one.singular}_to_{other.singular}"

    def labels(change: Change, pair: Pair) -> list[int]:
        if pair.type not in {*names, plain}:
            raise invalid(f"{pair.type} is not an association type from {one.singular} to {other.singular}")
        return [names.get(pair.type, UNLABELLED)]

    return _associate(call, labels)


def _old_batch_archive(call: Call) -> Answer:
    one, other = _pair(call, "write")
    with changing(call.portal) as change:
        for each in call.decoded(Pairs).inputs:
            unlink(change, Link(one, other, number_of(each.from_.id), number_of(each.to.id)), all_labels=True)
    return NOTHING


_BATCH = "/crm/v4/associations/{kind}/{other}"
_OLD = "/crm/v3/associations/{kind}/{other}/batch"
_ONE = "/crm/v4/objects/{kind}/{id}/associations"
ROUTES: list[BaseRoute] = [
    route("POST", f"{_BATCH}/batch/read", _batch_read),
    route("POST", f"{_BATCH}/batch/create", _batch_create),
    route("POST", f"{_BATCH}/batch/associate/default", _batch_default),
    route("POST", f"{_BATCH}/batch/archive", _batch_archive),
    route("POST", f"{_BATCH}/batch/labels/archive", _batch_labels_archive),
    route("GET", f"{_BATCH}/labels", _labels),
    route("POST", f"{_BATCH}/labels", _label_create),
    route("PUT", f"{_BATCH}/labels", _label_update),
    route("DELETE", _BATCH + "/labels/{type_id:int}", _label_delete),
    route("GET", _ONE + "/{other}", _list),
    route("PUT", _ONE + "/default/{other}/{to}", _put_default),
    route("PUT", _ONE + "/{other}/{to}", _put),
    route("DELETE", _ONE + "/{other}/{to}", _delete),
    route("POST", f"{_OLD}/read", _old_batch_read),
    route("POST", f"{_OLD}/create", _old_batch_create),
    route("POST", f"{_OLD}/archive", _old_batch_archive),
]
