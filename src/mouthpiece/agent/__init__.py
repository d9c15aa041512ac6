"""The conversational brain: one voice conversation, whoever shows it."""
