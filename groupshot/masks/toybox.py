"""The toybox's own segmenter: a reader that was trained on other scenes than the judge."""

from PIL.Image import Image as Picture

from groupshot.errors import UserError
from groupshot.masks.segmenter import Candidate
from groupshot.masks.sizes import resized
from groupshot.toybox.reader import Reader
from groupshot.toybox.reader.reading import HERE


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
        counts: the user says that somebody is there, and may have marks that it never saw.
        """
        (reading,) = self.reader.read([picture])
        alike = [seen for seen in reading.characters if seen.attributes["kind"] == noun]
        masks = [resized(seen.mask, picture.size) for seen in alike]
        return [
            Candidate(mask=mask, score=(seen.known + float(mask.mean())) / 2)
            for seen, mask in zip(alike, masks, strict=True)
        ]
