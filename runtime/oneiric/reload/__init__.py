"""Changing to another wiring in one transaction."""
