"""The built-in components and their ports: `oneiric.adapters.KEY` is the port of KEY with its errors."""
