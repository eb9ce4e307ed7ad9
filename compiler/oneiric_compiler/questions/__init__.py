"""What is asked of a compile or a report afterwards."""
