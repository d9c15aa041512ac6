"""The session engine driven as fast as the CPU allows, into MP4 and HLS."""
