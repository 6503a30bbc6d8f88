"""The tokens room: from text to ids, and how vocabularies are learned (book 3.5, 3.6); one module per exhibit."""
