"""What can be said about a scene, in several degrees of detail and with varied phrasing."""

from collections.abc import Sequence

from groupshot.toybox.world.dreaming import Rng, pick
from groupshot.toybox.world.scenes import Bond, Scene
from groupshot.toybox.world.vocabulary import KINDS, PLAIN, Identity

PLACES: dict[str, tuple[str, ...]] = {
    "beach": ("on the beach", "at the beach"),
    "forest": ("in the forest", "in a forest"),
    "night": ("at night", "under the night sky"),
    "snow": ("in the snow", "in the snow"),
    "room": ("in a room", "in the room"),
    "desert": ("in the desert", "in a desert"),
    "meadow": ("in a meadow", "on a meadow"),
    "city": ("in the city", "in a city"),
    "sea": ("under the sea", "in the sea"),
    "mountains": ("in the mountains", "in front of mountains"),
    "stage": ("on a stage", "on the stage"),
    "sunset": ("at sunset", "in front of the sunset"),
    PLAIN: ("on a plain background", "on white"),
}
"""How captions name each background."""

MEDIA = ("a picture of", "a photo of", "an image of")
DRAWN = ("a {style} drawing of", "a {style} picture of")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PLURALS = {"mouse": "mice", "fox": "foxes"}

DEGREES = 4
"""Degrees of detail: class; main colour; pattern and accessory; everything that has a name.

Half of the captions of any degree name the drawing style: a base that hears of second colours only
beside a style draws them only then.
"""


def caption(scene: Scene, rng: Rng, detail: int | None = None) -> str:
    """A sentence that is true of the scene; without `detail` (0 to 3) its degree is drawn too."""
    degree = int(rng.choice(DEGREES, p=(0.08, 0.22, 0.3, 0.4))) if detail is None else detail
    who = [c.identity for c in scene.characters]
    said = grouped(rng, who, degree) if len(who) > 4 else related(rng, scene, who, degree)
    place = pick(rng, PLACES[scene.background]) if degree or rng.random() < 0.6 else ""
    return " ".join(w for w in (opening(rng, scene), said, place) if w)


def opening(rng: Rng, scene: Scene) -> str:
    """Nothing, the medium, or the medium and its drawing style."""
    if rng.random() < 0.5:
        return pick(rng, DRAWN).format(style=scene.style)
    return "" if rng.random() < 0.5 else pick(rng, MEDIA)


def described(rng: Rng, who: Identity, degree: int) -> str:
    """One character as a noun phrase with its article."""
    words = f"{who.colour} {who.kind}" if degree else who.kind
    if degree >= 2:
        words = coat(rng, who, degree)
    return articled(words) + (outfit(rng, who) if degree >= 2 else "")


def articled(words: str) -> str:
    """The words after their indefinite article."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def coat(rng: Rng, who: Identity, degree: int) -> str:
    """Colours and pattern before the noun."""
    pattern = "" if who.pattern == "plain" and rng.random() < 0.5 else f"{who.pattern} "
    if degree < 3:
        return f"{who.colour} {pattern}{who.kind}"
    return f"{who.colour} and {who.second} {pattern}{who.kind}"


def outfit(rng: Rng, who: Identity) -> str:
    """What the character wears, if anything."""
    if who.accessory == "none":
        return ""
    worn = f"{who.accessory_colour} {who.accessory}"
    return f" {pick(rng, ('with', 'wearing'))} {worn if worn[-1] == 's' else articled(worn)}"


def related(rng: Rng, scene: Scene, who: Sequence[Identity], degree: int) -> str:
    """Up to four characters and how they stand to each other."""
    said = [described(rng, w, degree) for w in who]
    if len(said) == 1:
        return said[0]
    if scene.bonds:
        return bound(rng, scene.bonds[0], said)
    if len(said) == 2:
        return beside(rng, *said)
    names = f"{', '.join(said[:-1])} and {said[-1]}"
    return names + (" from left to right" if rng.random() < 0.4 else "")


def beside(rng: Rng, left: str, right: str) -> str:
    """Two characters side by side; three in four captions say who is on the left."""
    a, b = (left, right) if rng.random() < 0.5 else (right, left)
    return pick(
        rng,
        (
            f"{left} on the left and {right} on the right",
            f"{right} on the right and {left} on the left",
            f"{left} to the left of {right}",
            f"{right} to the right of {left}",
            f"{left} left of {right}",
            f"{right} right of {left}",
            f"{left} and {right}",
            f"{a} next to {b}",
            f"{a} and {b} side by side",
        ),
    )


def bound(rng: Rng, bond: Bond, said: Sequence[str]) -> str:
    """A pair that does something together, then the others."""
    first, second = said[bond.first], said[bond.second]
    if bond.relation in ("holding hands", "hugging") and rng.random() < 0.5:
        first, second = second, first
    words = pick(rng, BONDS[bond.relation]).format(a=first, b=second)
    others = [s for i, s in enumerate(said) if i not in (bond.first, bond.second)]
    return words + "".join(f" and {other}" for other in others)


BONDS = {
    "in front of": ("{a} in front of {b}", "{b} behind {a}", "{a} standing in front of {b}"),
    "holding hands": ("{a} and {b} holding hands", "{a} holding hands with {b}"),
    "hugging": ("{a} hugging {b}", "{a} and {b} hugging"),
    "riding": ("{a} riding {b}", "{a} riding on the back of {b}", "{b} carrying {a} on its back"),
}
"""Phrases per relation: `a` is the bond's first."""


def grouped(rng: Rng, who: Sequence[Identity], degree: int) -> str:
    """Five and more are counted, or listed by class."""
    together = pick(rng, ("a row of", "a crowd of", "a group of"))
    kinds = sorted({w.kind for w in who}, key=KINDS.index)
    if len(kinds) == 1:
        return f"{together} {NUMBERS[len(who)]} {plural(kinds[0])}"
    if degree < 2:
        return f"{together} {NUMBERS[len(who)]} animals"
    if degree == 3 and len(who) < 7:
        return (
            f"{', '.join(described(rng, w, 1) for w in who[:-1])} and {described(rng, who[-1], 1)}"
        )
    return f"{together} {', '.join(plural(k) for k in kinds[:-1])} and {plural(kinds[-1])}"


def plural(kind: str) -> str:
    """The plural of a class noun."""
    return PLURALS.get(kind, f"{kind}s")
