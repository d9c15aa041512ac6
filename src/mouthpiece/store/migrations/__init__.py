"""How a database gets from empty to now; run by ``Database.open``."""
