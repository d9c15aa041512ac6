"""How well the mouth follows the voice: one script for this project and its peers."""
