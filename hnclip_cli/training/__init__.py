"""Training with hard negatives."""
