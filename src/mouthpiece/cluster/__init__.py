"""Where sessions live: in this process or in child processes."""
