"""Where records come from: synthetic scenes and benchmark readers."""
