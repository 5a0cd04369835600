"""The kinds of negatives: each a function from a parsed caption to candidate edits."""
