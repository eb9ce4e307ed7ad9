"""Settings files as values with places."""
