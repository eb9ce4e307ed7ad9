"""A project's reports as one document, and as one HTML file that needs no other."""
