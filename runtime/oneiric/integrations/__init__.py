"""The frameworks that applications are written in: a module for each, which alone imports it."""
