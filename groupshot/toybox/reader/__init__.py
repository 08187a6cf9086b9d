"""Reads any picture of the world back: the judge of all that is drawn."""

from groupshot.toybox.reader.reading import Reader, Reading, Seen

__all__ = ["Reader", "Reading", "Seen"]
