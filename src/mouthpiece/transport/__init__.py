"""Where pictures and sound leave and microphones enter."""
