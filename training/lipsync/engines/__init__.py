"""Speech engines that say a text and tell when each phone sounds."""
