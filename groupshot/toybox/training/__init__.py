"""How the toybox's base is trained from nothing, in pieces of any length."""
