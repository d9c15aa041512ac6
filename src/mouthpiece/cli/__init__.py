"""The verbs that a person types."""
