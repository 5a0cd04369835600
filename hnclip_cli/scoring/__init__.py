"""Records to scored records."""
