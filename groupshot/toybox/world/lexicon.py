"""Every word that captions can contain: the base's tokenizer gives each a token."""

import re

from groupshot.toybox.world.captions import BONDS, DRAWN, MEDIA, NUMBERS, PLACES, plural
from groupshot.toybox.world.collages import REGIONS
from groupshot.toybox.world.vocabulary import ACCESSORIES, COLOURS, KINDS, PATTERNS, STYLES

PHRASES = (
    *KINDS,
    *(plural(kind) for kind in KINDS),
    *COLOURS,
    *PATTERNS,
    *ACCESSORIES[1:],
    *STYLES,
    *REGIONS,
    *NUMBERS,
    *MEDIA,
    *DRAWN,
    *(phrase for phrases in PLACES.values() for phrase in phrases),
    *(phrase for phrases in BONDS.values() for phrase in phrases),
    "an animal animals a row of a crowd of a group of",
    "on the left and on the right to the left of next to side by side from left to right",
    "with wearing the head's no other together background , . ' s",
    "beach forest night snow room desert meadow city sea mountains stage sunset",
)

WORDS = tuple(sorted(set(re.findall(r"[a-z]+|[,.']", " ".join(PHRASES).replace("{style}", "")))))
"""In alphabetical order, no word twice."""
