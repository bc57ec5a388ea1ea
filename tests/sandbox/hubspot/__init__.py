"""Tests of the half of the sandbox that speaks HubSpot's protocols."""
