"""Python source, read and never imported."""
