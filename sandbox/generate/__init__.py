"""A made-up sales organisation, the same each time for the same scale, seed and day."""

from sandbox.generate.organisation import Order, generate
from sandbox.generate.people import GivenPerson, read_people

__all__ = ["GivenPerson", "Order", "generate", "read_people"]
