"""The words of the toybox: every value an attribute can take, and who may be drawn for whom."""

import hashlib
from dataclasses import asdict, dataclass, replace

SIZE = 128
"""Side of every picture of the world, in pixels."""

KINDS = (
    "cat",
    "dog",
    "bear",
    "rabbit",
    "fox",
    "mouse",
    "robot",
    "bird",
    "frog",
    "elephant",
    "lion",
    "dragon",
)
"""Class nouns: each has a silhouette of its own (see `anatomy`)."""

COLOURS = {
    "red": (214, 64, 58),
    "orange": (240, 146, 54),
    "yellow": (246, 211, 74),
    "green": (92, 168, 80),
    "teal": (50, 166, 166),
    "blue": (72, 118, 210),
    "purple": (146, 92, 190),
    "pink": (244, 154, 186),
    "brown": (142, 96, 64),
    "black": (66, 64, 74),
    "white": (246, 244, 238),
    "gray": (156, 160, 168),
}
"""Main, second and accessory colours, as RGB; drawings jitter around them."""

PATTERNS = ("plain", "striped", "spotted", "patched", "split")
"""How the second colour lies on the main one."""

ACCESSORIES = ("none", "hat", "scarf", "glasses", "cape", "headphones", "bow", "boots")
MARKS = (
    "none",
    "eye patch",
    "crown",
    "belly star",
    "mohawk",
    "horn",
    "moustache",
    "heart cheeks",
    "plaster",
    "wings",
    "belly moon",
    "flower",
    "war paint",
)
"""What no caption can name: only cast identities, the reader and the VAE ever have them."""

STYLES = ("flat", "shaded")
"""Drawing styles: plain fills, or outlined and shaded."""

BACKGROUNDS = (
    "beach",
    "forest",
    "night",
    "snow",
    "room",
    "desert",
    "meadow",
    "city",
    "sea",
    "mountains",
    "stage",
    "sunset",
)
PLAIN = "plain"
"""An empty canvas, for collages and for the CLIP pair; not one of the BACKGROUNDS."""

PARTS = (
    "nothing",
    "ears",
    "head",
    "face",
    "body",
    "belly",
    "arms",
    "legs",
    "tail",
    "accessory",
    "mark",
)
"""Names of the values of a part map, in order."""

RELATIONS = ("beside", "in front of", "holding hands", "hugging", "riding")
"""How two characters stand to each other; `beside` is refined by who is on the left."""

SLOTS = {
    "hat": "top",
    "headphones": "top",
    "bow": "top",
    "crown": "top",
    "mohawk": "top",
    "horn": "top",
    "flower": "top",
    "glasses": "eyes",
    "eye patch": "eyes",
    "plaster": "brow",
    "cape": "back",
    "wings": "back",
}
"""Where an accessory or a mark sits; one identity never has two things in one slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a character is: the attributes that stay with it from picture to picture."""

    kind: str
    colour: str
    second: str
    pattern: str = "plain"
    accessory: str = "none"
    accessory_colour: str = "none"
    mark: str = "none"

    def __post_init__(self) -> None:
        if self.colour == self.second:
            raise ValueError("an identity's second colour differs from its main one")
        if (self.accessory == "none") != (self.accessory_colour == "none"):
            raise ValueError("an accessory has a colour, and nothing else has")
        slot = SLOTS.get(self.mark)
        if slot is not None and slot == SLOTS.get(self.accessory):
            raise ValueError(f"{self.mark} and {self.accessory} sit in the same place")

    @property
    def reserved(self) -> bool:
        """Whether casts are made of it: U-Net and CLIP pair never see a reserved identity.

        Decided by a hash of what captions can name, so the split is the same on every machine
        and a mark changes nothing about it.
        """
        nameable = "/".join(asdict(replace(self, mark="none")).values())
        return hashlib.sha256(nameable.encode()).digest()[0] < 51  # a fifth


ATTRIBUTES = tuple(Identity.__dataclass_fields__)
"""The names of an identity's attributes, in order."""
