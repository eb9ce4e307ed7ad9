"""Workflows as data: what their nodes call and in what order, and what that comes to, by whatever runs their steps."""
