"""Generators: other sources of negatives than the lexicon, held to the same truth."""
