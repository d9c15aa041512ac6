"""Everything PyAV: encoders, decoders, muxers."""
