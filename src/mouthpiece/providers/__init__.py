"""Names in the API to provider objects, and the embedded defaults."""
