"""What a caption says: attributes and their nouns, relations, and exact rewriting."""
