"""Signatures: keys, and signed wirings."""
