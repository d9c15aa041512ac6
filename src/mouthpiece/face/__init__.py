"""A portrait's rig to pictures. Pure."""
