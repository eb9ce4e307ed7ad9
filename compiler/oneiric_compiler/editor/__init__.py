"""JSON Schemas that editors complete settings from."""
