"""The legacy surface of Simli (v1), thin, over the use cases of v2."""
