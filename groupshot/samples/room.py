"""Room: whether everyone in a picture can be named in one caption."""

from collections.abc import Iterable, Sequence

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.samples.captions import caption


def check_room(base: Base, cast: Cast) -> None:
    """Refuse a photo that shows more concepts than a caption of the base has room for.

    The embedding table has room for any number; the encoder reads so many tokens and no more. To
    be asked once the concepts have their tokens, since a method chooses how many each takes.
    """
    shown = {f"<{name}>": (name,) for name in cast.names}
    shown |= {str(each.photo.path): each.shows for each in cast.together}
    for what, names in shown.items():
        if base.words.keys() >= set(names) and not fits(base, names):
            raise UserError(
                f"{what} takes {tokens(base, names)} tokens ({', '.join(names)}), more than a "
                "caption of the base has room for: give each fewer vectors, or show fewer at once"
            )


def check_most(base: Base, names: Sequence[str], most: int) -> None:
    """Refuse to put more concepts into a composite than a caption has room for."""
    longest = sorted(names, key=lambda name: len(base.words[name]), reverse=True)[:most]
    if not fits(base, longest):
        raise UserError(
            f"a composite of {len(longest)} takes {tokens(base, longest)} tokens, more than a "
            "caption of the base has room for: give each fewer vectors, or put fewer together "
            "(most)"
        )


def fits(base: Base, names: Sequence[str]) -> bool:
    """Whether each of the base's captions has room for these."""
    try:
        base.ids([caption(template, names) for template in base.card.templates])
    except UserError:
        return False
    return True


def tokens(base: Base, names: Iterable[str]) -> int:
    """How many tokens the names have, without the words around them."""
    return sum(len(base.words[name]) for name in names)
