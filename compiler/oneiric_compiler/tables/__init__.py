"""What there is of a kind, a row each: whatever decides, tells or documents by it reads the rows. Imports nothing."""
