"""Finding texts: by their words, by their vectors, by their bits, and how well that works."""
