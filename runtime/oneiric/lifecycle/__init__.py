"""Instances, from activation to close."""
