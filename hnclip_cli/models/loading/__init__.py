"""What `load.py` is given, checked and brought to open_clip's form: names, folders, files."""
