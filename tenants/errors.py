from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError


class TenantExists(DomainError):
    code = "tenants.exists"
    sentence = (
        "The workspace {slug} exists already. Choose another customer name, or change the existing one."
    )
    field = "customer"


class TenantUnknown(DomainError):
    code = "tenants.unknown"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no customer {slug}. `manage.py list_customers` shows them all."
    field = "customer"


class MemberExists(DomainError):
    code = "tenants.member_exists"
    sentence = "{email} is a member of {tenant} already. Open the member to change the role."
    field = "email"


class LastAdmin(DomainError):
    code = "tenants.last_admin"
    sentence = "{email} is the last admin of {tenant}. Make someone else an admin first."


class SettingsInvalid(DomainError):
    code = "tenants.settings_invalid"
    status = HTTPStatus.BAD_REQUEST
    sentence = "Setting {field_path}: {problem}"


class ConfigNotWritable(DomainError):
    code = "tenants.config_not_writable"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    sentence = "The workspace's file cannot be written to {path} ({reason}). Make that directory writable and try again."
