"""Room: whether everyone in a photo can be named in one caption."""

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.samples.captions import caption


def check_room(base: Base, cast: Cast) -> None:
    """Refuse a photo that shows more concepts than a caption of the base has room for.

    The embedding table has room for any number; the encoder reads so many tokens and no more. To
    be asked once the concepts have their tokens, since a method chooses how many each takes.
    """
    for each in cast.together:
        if base.words.keys() >= set(each.shows):
            try:
                base.ids([caption(template, each.shows) for template in base.card.templates])
            except UserError as full:
                tokens = sum(len(base.words[name]) for name in each.shows)
                raise UserError(
                    f"{each.photo.path} shows {len(each.shows)} concepts of together {tokens} "
                    "tokens, more than a caption of the base has room for: show fewer in one "
                    "photo, or give each fewer vectors"
                ) from full
