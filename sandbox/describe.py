"""What a describe answer says of objects and fields: every key that the real one has."""

from collections.abc import Iterable, Mapping, Sequence

from sandbox.schema import NUMBERS, WHOLE_NUMBERS, Field, SObject, label_of

Described = dict[str, object]
_LENGTHS = {
    "id": 18, "reference": 18, "string": 255, "picklist": 255, "multipicklist": 4099, "combobox": 255, "textarea": 32000,
    "email": 80, "phone": 40, "url": 255, "anyType": 255, "encryptedstring": 175,
}  # fmt: skip
_SOAP = {
    "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "boolean": "xsd:boolean",
    "date": "xsd:date", "datetime": "xsd:dateTime", "time": "xsd:time", "id": "tns:ID", "reference": "tns:ID",
    "address": "urn:address", "location": "urn:location", "anyType": "xsd:anyType", "base64": "xsd:base64Binary", "long": "xsd:long",
}  # fmt: skip
_LONG = 32768
_NOT_SOUGHT = {"address", "textarea", "anyType", "base64", "encryptedstring", "json", "complexvalue"}
_CHILD_NAMES = {
    ("Contact", "AccountId"): "Contacts", ("Opportunity", "AccountId"): "Opportunities",
    ("OpportunityContactRole", "OpportunityId"): "OpportunityContactRoles",
    ("OpportunityHistory", "OpportunityId"): "OpportunityHistories",
    ("Task", "WhatId"): "Tasks", ("Event", "WhatId"): "Events",
}  # fmt: skip
_CASCADES = {"OpportunityHistory", "OpportunityContactRole", "Task", "Event", "Contact", "Opportunity"}


def described_field(field: Field, values: Sequence[str]) -> Described:
    """The entry of a field in ``fields``; ``values`` are what a picklist offers now."""
    return (
        _named(field) | _sized(field) | _used(field) | _pointed(field) | {"picklistValues": _picklist(values)}
    )


def _named(field: Field) -> Described:
    label = label_of(field.name)
    return {
        "name": field.name, "label": label.removesuffix(" Id") + " ID" if label.endswith(" Id") else label, "type": field.type,
        "soapType": _SOAP.get(field.type, "xsd:string"), "custom": field.is_custom, "compoundFieldName": field.compound,
        "nameField": field.name in {"Name", "MasterLabel"}, "inlineHelpText": None, "extraTypeInfo": _extra(field),
        "deprecatedAndHidden": False, "aiPredictionField": False,
    }  # fmt: skip


def _extra(field: Field) -> str | None:
    if field.type == "textarea":
        return "plaintextarea"
    return "personname" if field.name in {"FirstName", "LastName"} else None


def _sized(field: Field) -> Described:
    is_decimal = field.type in NUMBERS - WHOLE_NUMBERS
    length = _LONG if field.is_custom and field.type == "textarea" else _LENGTHS.get(field.type, 0)
    return {
        "length": 1300 if field.formula and length else length, "byteLength": 3 * length,
        "precision": 18 if is_decimal else 0, "scale": 2 if is_decimal else 0, "digits": {"int": 8, "long": 18}.get(field.type, 0),
        "highScaleNumber": False, "displayLocationInDecimal": False, "mask": None, "maskType": None, "encrypted": False,
        "htmlFormatted": False, "caseSensitive": field.type == "id",
    }  # fmt: skip


def _used(field: Field) -> Described:
    is_writable = not field.is_read_only and field.type not in {"id", "address"}
    is_sought = field.type not in _NOT_SOUGHT
    return {
        "nillable": not field.is_required and field.type not in {"id", "boolean"}, "createable": is_writable,
        "updateable": is_writable, "filterable": is_sought, "sortable": is_sought, "searchPrefilterable": field.type == "reference",
        "groupable": is_sought and not field.formula and field.type not in NUMBERS - WHOLE_NUMBERS | {"datetime"},
        "aggregatable": is_sought and field.type != "boolean", "calculated": bool(field.formula),
        "calculatedFormula": field.formula or None, "formulaTreatNullNumberAsZero": False, "autoNumber": False,
        "defaultValue": False if field.type == "boolean" else None, "defaultValueFormula": None,
        "defaultedOnCreate": not field.formula and (field.is_read_only or field.type == "boolean" or field.name == "OwnerId"),
        "permissionable": is_writable and not field.is_required, "unique": False, "externalId": False, "idLookup": field.type == "id",
        "queryByDistance": False, "dependentPicklist": False, "controllerName": None, "restrictedPicklist": field.is_custom and field.type in {"picklist", "multipicklist"},
    }  # fmt: skip


def _pointed(field: Field) -> Described:
    return {
        "referenceTo": [field.refers_to] if field.refers_to else [], "relationshipName": field.relationship,
        "relationshipOrder": None, "referenceTargetField": None, "polymorphicForeignKey": False, "namePointing": False,
        "cascadeDelete": False, "restrictedDelete": False, "writeRequiresMasterRead": False, "filteredLookupInfo": None,
    }  # fmt: skip


def _picklist(values: Sequence[str]) -> list[Described]:
    return [
        {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
        for value in values
    ]


def described_briefly(sobject: SObject) -> Described:
    """The entry of an object in the list of all objects, without its addresses."""
    is_history = sobject.name.endswith("History")
    deletable = sobject.has_recycle_bin and not is_history
    writable = not is_history and sobject.name != "OpportunityStage"
    custom = sobject.name.endswith("__c")
    return {
        "name": sobject.name, "label": label_of(sobject.name), "labelPlural": f"{label_of(sobject.name)}s",
        "keyPrefix": sobject.prefix, "custom": custom, "queryable": True, "retrieveable": True,
        "createable": writable, "updateable": writable, "deletable": deletable, "undeletable": deletable,
        "replicateable": sobject.is_replicated, "searchable": writable, "layoutable": writable, "triggerable": writable,
        "mergeable": sobject.name in {"Account", "Contact"}, "mruEnabled": writable, "feedEnabled": False,
        "customSetting": False, "deprecatedAndHidden": False, "activateable": False, "hasSubtypes": False,
        "isSubtype": False, "isInterface": False, "deepCloneable": False, "dataTranslationEnabled": None,
        "associateEntityType": None, "associateParentEntity": None,
    }  # fmt: skip


def described_further(sobject: SObject, objects: Mapping[str, SObject]) -> Described:
    """What describe says of an object besides: its children among ``objects``, and keys that have no content here."""
    return {
        "childRelationships": list(_children(sobject.name, objects.values())), "recordTypeInfos": _record_types(),
        "actionOverrides": [], "namedLayoutInfos": [], "networkScopeFieldName": None, "compactLayoutable": True,
        "searchLayoutable": True, "listviewable": None, "lookupLayoutable": None, "supportedScopes": [
            {"label": "All", "name": "everything"}], "defaultImplementation": None, "extendsInterfaces": None,
        "implementedBy": None, "implementsInterfaces": None, "sobjectDescribeOption": "FULL",
    }  # fmt: skip


def _children(name: str, objects: Iterable[SObject]) -> Iterable[Described]:
    for child in objects:
        for field in child.fields.values():
            if field.refers_to == name:
                yield {
                    "childSObject": child.name, "field": field.name, "deprecatedAndHidden": False,
                    "relationshipName": _CHILD_NAMES.get((child.name, field.name)),
                    "cascadeDelete": name == "Opportunity" and child.name in _CASCADES, "restrictedDelete": False,
                    "junctionIdListNames": [], "junctionReferenceTo": [],
                }  # fmt: skip


def _record_types() -> list[Described]:
    return [{
        "active": True, "available": True, "defaultRecordTypeMapping": True, "developerName": "Master", "master": True,
        "name": "Master", "recordTypeId": "012000000000000AAA", "urls": {},
    }]  # fmt: skip
