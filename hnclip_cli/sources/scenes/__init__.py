"""Composed scenes: an embedded data set whose images and captions are made on the spot.

A scene depends on (seed, split, index) and nothing else. Colors and shapes meet in combinations,
a quarter of which appear in the test split only, so that what is tested is composition.
"""
