"""Code of others, taken in as it is."""
