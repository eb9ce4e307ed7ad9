"""What must not be told: by the name that it goes by, and by its shape."""
