"""The stages of a compile, one module each."""
