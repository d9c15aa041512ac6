"""The measurements behind every number that the README quotes."""
