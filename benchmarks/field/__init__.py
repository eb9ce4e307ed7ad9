"""This project beside the field: the same work by every contender, in the same run: `python -m benchmarks.field`."""
