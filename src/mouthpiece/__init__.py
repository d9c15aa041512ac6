"""mouthpiece: a self-hosted, real-time talking-avatar server."""
