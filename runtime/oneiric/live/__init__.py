"""Handles that lease for as long as a call lasts."""
