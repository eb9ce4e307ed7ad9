"""Scopes of tenants, their bindings, and closing those that are idle."""
