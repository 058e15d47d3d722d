"""Simulated cohorts whose hazard depends on the history of an exposure."""
