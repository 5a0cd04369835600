"""Where records come from: composed scenes and the official files of benchmarks."""
