"""The toybox's own segmenter: a reader that was trained on other scenes than the judge."""

from PIL.Image import Image as Picture

from groupshot.errors import UserError
from groupshot.masks.segmenter import Candidate
from groupshot.masks.sizes import resized
from groupshot.toybox.reader import Reader
from groupshot.toybox.reader.reading import HERE, Seen

POSSIBLE = 0.01
"""How likely somebody is of a class, at least, who is read as of another and still may be of it."""


class Toybox:
    """Finds characters of the toybox's world, and nothing else."""

    name = "toybox"

    def __init__(self, reader: Reader) -> None:
        """Look through a reader's eyes."""
        self.reader = reader

    @classmethod
    def load(cls) -> "Toybox":
        """The one that is shipped; a UserError where this installation has none."""
        if not (HERE / "segmenter.safetensors").is_file():
            raise UserError(
                "the toybox's segmenter is not in this installation: "
                "name another one, or paint hand masks"
            )
        return cls(Reader.load("segmenter"))

    def found(self, picture: Picture, noun: str) -> list[Candidate]:
        """Every character of the class; the more of the picture it has, the surer.

        What the reader takes for no character of the world counts less than any that it knows, but
        counts: the user says that somebody is there, and may have marks that it never saw. Last
        come those, half hidden perhaps, who are likelier of another class.
        """
        (reading,) = self.reader.read([picture])
        likely = sorted(reading.characters, key=lambda seen: -seen.kinds.get(noun, 0.0))
        return [
            Candidate(mask=resized(seen.mask, picture.size), score=sureness(seen, noun))
            for seen in likely
            if seen.attributes["kind"] == noun or seen.kinds.get(noun, 0.0) >= POSSIBLE
        ]


def sureness(seen: Seen, noun: str) -> float:
    """How sure it is that somebody is of a class: not at all where another is likelier."""
    return (seen.known + float(seen.mask.mean())) / 2 if seen.attributes["kind"] == noun else 0.0
