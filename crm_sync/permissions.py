from isolation.permissions import Permission, register

VIEW = "crm.view"
SYNC = "crm.sync"
EDIT = "crm.edit"
CONTACT_DATA = "crm.contact_data"

register(
    Permission(VIEW, "See the CRM connection, its sync runs and the rows kept aside"),
    Permission(SYNC, "Start a sync"),
    Permission(EDIT, "Change the CRM connection and its schedule"),
    Permission(CONTACT_DATA, "See contact data from the CRM unmasked"),
)
