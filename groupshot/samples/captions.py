"""Captions: what is said about the pictures that are learned from."""

from collections.abc import Collection, Iterable, Sequence

from groupshot.cast import Cast
from groupshot.errors import UserError

SCENERY = ("on the beach", "in the forest", "in the snow", "in the city")
"""Where a base may be asked to draw what it knows."""


def caption(template: str, shows: Sequence[str]) -> str:
    """A template about concepts: "a photo of <luna>, <rex> and <bay>"."""
    return template.format(listed([f"<{name}>" for name in shows]))


def listed(words: Sequence[str]) -> str:
    """ "a cat, <rex> and <bay>"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def sided(left: str, right: str) -> str:
    """ "<luna> on the left and a dog on the right": CLIF's words for a collage."""
    return f"{left} on the left and {right} on the right"


def part_of(name: str, part: str) -> str:
    """ "<luna>'s hat": CLIF's words for a region of a concept."""
    return f"<{name}>'s {part}"


def with_article(noun: str) -> str:
    """ "a cat", "an owl"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def templated(templates: Sequence[str], nouns: Iterable[str]) -> list[str]:
    """Every class in every template, with an article."""
    return [template.format(with_article(noun)) for noun in nouns for template in templates]


def prefixed(prefix: str, text: str) -> str:
    """ "very small" before "a photo of <luna>": "very small photo of <luna>"."""
    for article in ("a ", "an "):
        text = text.removeprefix(article)
    return f"{prefix} {text}"


def known(phrases: Sequence[str], lexicon: Collection[str]) -> tuple[str, ...]:
    """Those phrases of which a base knows every word; all of them where any word will do.

    A word that a small vocabulary lacks is spelt in letters that were never learned: it would say
    nothing, and disturb what stands beside it.
    """
    words = {*lexicon, "a"}
    return tuple(each for each in phrases if not lexicon or words.issuperset(each.split()))


def nouns(cast: Cast) -> dict[str, str]:
    """The class noun of every concept; a UserError that says which line to add."""
    for concept in cast.concepts:
        if concept.noun is None:
            raise UserError(
                f"{concept.name} has no class word, and this method needs one: "
                f"call its folder {concept.name}.cat, or whatever it is, or say `{concept.name}: "
                "{class: cat}` under `concepts:` in cast.yaml, where everyone is listed then."
            )
    return {concept.name: concept.noun or "" for concept in cast.concepts}
