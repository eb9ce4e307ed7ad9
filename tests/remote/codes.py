"""The codes that only a sync tells, which no golden case can make: `test_remote_command.py` shows each."""

SYNC_CODES = {"ONE620", "ONE621", "ONE622", "ONE623"}
