"""What the project knows about words: nouns and their families, verbs, attributes, spelling."""
