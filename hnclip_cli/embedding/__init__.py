"""Records to embeddings."""
