from isolation.permissions import Permission, register

VIEW = "ops.priority_queue.view"
REVIEW = "ops.priority_queue.review"
FULL_ACCESS = "ops.priority_queue.full_access"
EXPORT = "exports.run"

register(
    Permission(VIEW, "See the priority queue, with contact data masked"),
    Permission(REVIEW, "Mark items of the priority queue as reviewed or closed"),
    Permission(FULL_ACCESS, "See contact data in the priority queue unmasked"),
)
