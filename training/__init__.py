"""How the shipped weights were made. Not part of the package; nothing here is needed at run time."""
