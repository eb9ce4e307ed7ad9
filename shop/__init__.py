"""A small shop: the application that this repository's own settings compile."""
