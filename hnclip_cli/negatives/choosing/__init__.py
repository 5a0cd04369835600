"""The choice of a record's negatives among the candidates of the kinds."""
