"""Access reviews: what everybody holds is put before somebody else, who keeps or revokes it, with a reason."""
