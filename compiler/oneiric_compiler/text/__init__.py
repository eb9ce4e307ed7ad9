"""Text for people: styles, and what may not be shown."""
