"""Hard negative captions: parsing, lexicon, kinds, and the choice among their candidates."""
