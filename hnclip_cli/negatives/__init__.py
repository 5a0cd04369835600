"""Hard negative captions: what captions say, kinds, and the choice among their candidates."""
