"""Tests of the local server that speaks Salesforce's protocols."""
