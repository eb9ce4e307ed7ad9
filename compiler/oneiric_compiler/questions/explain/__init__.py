"""Why each key is served by what serves it: a report told to a person, or handed on to a machine."""
