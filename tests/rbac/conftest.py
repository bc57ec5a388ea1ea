from __future__ import annotations

import pytest

from isolation import context
from tenants.models import Member, RoleCode
from tenants.services import member_role_change
from tests.cast import PLANTER


@pytest.fixture
def second_admin(analyst: Member) -> Member:
    with context.tenant_wide(analyst.tenant_id):
        return member_role_change(member=analyst, role=RoleCode.CUSTOMER_ADMIN, acting_user=PLANTER)
