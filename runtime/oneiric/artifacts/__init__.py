"""Pinned remote code: reading, unpacking, importing it."""
