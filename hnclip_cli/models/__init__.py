"""The only room that imports open_clip: load, save, encode text and images."""
