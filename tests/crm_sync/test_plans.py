"""A small change is compared with the rows that it is about, not with the whole mirror."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection

from crm_sync.connectors.base import ObjectSpec
from crm_sync.connectors.salesforce.objects import OBJECTS
from crm_sync.engine import merge, stage
from crm_sync.engine.scope import Scope
from isolation import context
from tenants.models import Tenant


@pytest.mark.django_db
@pytest.mark.parametrize("spec", OBJECTS, ids=lambda spec: spec.name)
def test_every_table_that_a_merge_reads_is_reached_by_the_crms_id(acme: Tenant, spec: ObjectSpec) -> None:
    scope = Scope(acme.id, "salesforce", "USD", uuid4(), uuid4(), spec, OBJECTS)
    with context.tenant_wide(acme.id), connection.cursor() as cursor:
        stage.create(scope)
        # The tables are nearly empty here: only what row security keeps off an index is read through under these.
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN {merge.comparison(scope)}", scope.parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    by_id = [line for line in plan.splitlines() if "Index Cond" in line and "external_id" in line]
    assert len(by_id) == 1 + len(spec.references), plan
