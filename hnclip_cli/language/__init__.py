"""Captions as words, and the statistics of their text."""
