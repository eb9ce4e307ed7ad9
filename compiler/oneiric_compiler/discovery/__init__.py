"""Where candidates are found."""
