"""PolyAI's WebRTC gateway: voice calls, sound alone, with agents of this server."""
