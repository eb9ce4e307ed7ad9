"""What drives the components of a domain; the compiler's table of engines says which domains have one."""
