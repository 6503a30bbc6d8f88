"""The attention room: an encoder seen from inside (book 2.2.3, 2.2.4, 2.3.3, 3.3.1, 3.3.4); one module per exhibit."""
