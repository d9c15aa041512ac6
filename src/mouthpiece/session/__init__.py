"""One avatar session as a pure state machine."""
