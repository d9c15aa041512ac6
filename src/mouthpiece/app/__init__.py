"""Builds the house from its settings and runs it; the only room that knows every other."""
