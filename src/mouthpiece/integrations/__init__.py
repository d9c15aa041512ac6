"""Faces for other frameworks, in their own process: no server and no HTTP between."""
