from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from isolation import context
from rbac.models_breakglass import BreakGlass
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_role_change
from tests.cast import PLANTER
from tests.rbac.stays import ClientOf, begin


@pytest.fixture
def second_admin(analyst: Member) -> Member:
    with context.tenant_wide(analyst.tenant_id):
        return member_role_change(member=analyst, role=RoleCode.CUSTOMER_ADMIN, acting_user=PLANTER)


@pytest.fixture
def browser(operator: User, client_of: ClientOf) -> Client:
    return client_of(operator)


@pytest.fixture
def stay(acme: Tenant, operator: User) -> BreakGlass:
    return begin(acme, operator)
