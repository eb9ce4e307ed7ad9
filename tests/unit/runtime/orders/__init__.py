"""A project with workflows, as the compiler would have it, by hand."""
