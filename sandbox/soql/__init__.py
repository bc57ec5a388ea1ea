"""A subset of SOQL: one object, its fields and those of the records it refers to, conditions, groups, order, limit."""

from sandbox.soql.aggregate import AggregatePlan, compile_aggregate
from sandbox.soql.parser import parse
from sandbox.soql.plan import Plan, compile_query

__all__ = ["AggregatePlan", "Plan", "compile_aggregate", "compile_query", "parse"]
