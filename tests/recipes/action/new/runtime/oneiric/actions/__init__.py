"""The built-in actions: `oneiric.actions.GROUP` has the ports of the keys `GROUP.NAME`, and pure functions."""
