"""What providers of several ports share."""
