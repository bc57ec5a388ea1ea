from isolation.permissions import Permission, register

VIEW = "ops.priority_queue.view"
REVIEW = "ops.priority_queue.review"
FULL_ACCESS = "ops.priority_queue.full_access"
EXPORT = "exports.run"

# The 31 rights of the customer desk, in the order of its pages.
register(
    Permission("bookings.view", "See bookings"),
    Permission("bookings.edit", "Change bookings"),
    Permission("bookings.cancel", "Cancel bookings"),
    Permission("bookings.refund", "Refund bookings"),
    Permission("users.view", "See the customers of the desk"),
    Permission("users.edit", "Change customers' details"),
    Permission("users.delete", "Delete customers"),
    Permission("users.wallet", "Change customers' credit"),
    Permission("providers.view", "See providers"),
    Permission("providers.edit", "Change providers' details"),
    Permission("providers.approve", "Admit providers"),
    Permission("providers.delete", "Delete providers"),
    Permission("complaints.view", "See complaints"),
    Permission("complaints.assign", "Give complaints to somebody"),
    Permission("complaints.resolve", "Resolve complaints"),
    Permission("complaints.escalate", "Hand complaints upwards"),
    Permission(VIEW, "See the priority queue, with contact data masked"),
    Permission(REVIEW, "Mark items of the priority queue as reviewed or closed"),
    Permission(FULL_ACCESS, "See contact data in the priority queue unmasked"),
    Permission("ops.metrics.view", "See the desk's figures"),
    Permission("ops.metrics.export", "Export the desk's figures"),
    Permission("ops.alerts.view", "See the desk's alerts"),
    Permission("ops.alerts.manage_rules", "Change the rules of the desk's alerts"),
    Permission("ops.alerts.manage_subscriptions", "Choose who hears of the desk's alerts"),
    Permission("ops.staff.view", "See who works at the desk"),
    Permission("ops.staff.edit", "Change who works at the desk"),
    Permission("ops.staff.delete", "Take somebody off the desk"),
    Permission("ops.config.view", "See how the desk is set up"),
    Permission("ops.config.edit", "Change how the desk is set up"),
    Permission("ops.audit.view", "Read what was done at the desk"),
    Permission("system.admin", "Do whatever the desk can do, and set up its admins"),
)
