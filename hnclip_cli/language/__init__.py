"""Statistics of text: what a caption looks like to someone who sees no image."""
