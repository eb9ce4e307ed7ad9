"""What an environment has to have for a wiring: what is read of it, what it lacks, asked before anything starts."""
