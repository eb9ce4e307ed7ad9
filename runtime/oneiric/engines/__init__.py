"""What drives the components of a domain beside the calls of the application."""
