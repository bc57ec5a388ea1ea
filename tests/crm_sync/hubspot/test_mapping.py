"""A mapping of HubSpot's properties: every object can be looked at, custom ones are kept, and drift is told."""

from __future__ import annotations

from crm_sync.connectors import OBJECTS_READ
from crm_sync.mapping.document import is_mappable, slots_of
from crm_sync.mapping.services import mapping_save
from crm_sync.mapping.trial import mapping_look, mapping_try
from crm_sync.models import ContractViolation, Opportunity
from isolation import context
from tests.crm_sync.hubspot.conftest import SYSTEM, Hub

FIELDS = {"margin": "margin_c", "close_date": "renewal_c"}


def violations(hub: Hub) -> set[tuple[str, str]]:
    with context.tenant_wide(hub.tenant.id):
        open_ones = ContractViolation.objects.filter(resolved_at=None)
        return set(open_ones.values_list("field", "kind"))


def save(hub: Hub, fields: dict[str, str]) -> None:
    mapping_save(tenant_id=hub.tenant.id, source="hubspot", document={"deals": fields}, acting_user=SYSTEM)


class TestAMapping:
    def test_can_be_looked_at_and_tried_for_every_object(self, hub: Hub) -> None:
        hub.sync()
        for spec in filter(is_mappable, OBJECTS_READ["hubspot"]):
            looked = mapping_look(
                tenant_id=hub.tenant.id, source="hubspot", name=spec.name, acting_user=SYSTEM
            )
            own_id = next(iter(slots_of(spec).values()))
            assert own_id.default == spec.id_field
            trial = mapping_try(
                tenant_id=hub.tenant.id, source="hubspot", name=spec.name, fields={}, acting_user=SYSTEM
            )
            assert (looked.spec.name, trial.kept_aside) == (spec.name, 0)
            assert trial.rows, spec.name

    def test_keeps_custom_properties_and_tells_when_they_are_gone(self, hub: Hub) -> None:
        for name, kind in (("margin_c", "number"), ("renewal_c", "datetime")):
            hub.portal.control("schema", object="deals", add={"name": name, "type": kind})
        key = hub.some_deal()
        hub.portal.control(
            "update", object="deals", id=key,
            fields={"margin_c": "12.5", "renewal_c": "2027-06-30T12:00:00Z"},
        )  # fmt: skip
        hub.sync()
        assert violations(hub) == set()
        save(hub, FIELDS)
        hub.sync()
        with context.tenant_wide(hub.tenant.id):
            deal = Opportunity.objects.get(external_id=key)
        assert (deal.custom["margin"], str(deal.close_on)) == (12.5, "2027-06-30")
        hub.portal.control("schema", object="deals", remove="margin_c")
        hub.sync()
        assert violations(hub) == {("margin_c", "removed")}
        with context.tenant_wide(hub.tenant.id):
            assert Opportunity.objects.get(external_id=key).custom["margin"] == 12.5
