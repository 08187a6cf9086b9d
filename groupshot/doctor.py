"""What this machine has: versions, device, memory, disk, the built-in base, a writable cache.

And of a cast, whether its photos are large enough, and who in it is likely to be confused.
"""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import torch
from huggingface_hub.constants import HF_HUB_CACHE

from groupshot.base import Base
from groupshot.basefolder import TOYBOX, check
from groupshot.cast import Cast, check_nouns
from groupshot.confusion import told
from groupshot.errors import UserError
from groupshot.runfolder import LIBRARIES
from groupshot.samples import with_article

MEMORY = 4 * 2**30
DISK = 2**30
LACKS = "of no class, which most methods want to know: call its folder NAME.CLASS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    """Whether it will do."""
    says: str
    """What was found, and what to do where it will not do."""
    warns: bool = False
    """Whether it should be thought about though it will do."""

    @property
    def mark(self) -> str:
        """All that who reads quickly needs to see."""
        return "!!" if not self.ok else "??" if self.warns else "ok"


def examined() -> list[Finding]:
    """Look at everything."""
    return [python(), libraries(), device(), memory(), base(), disk(Path.cwd()), cache()]


def python() -> Finding:
    """The interpreter and the system."""
    return Finding(
        name="python", ok=True, says=f"{platform.python_version()} on {platform.platform()}"
    )


def libraries() -> Finding:
    """The libraries that results depend on."""
    found = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    return Finding(name="libraries", ok=True, says=found)


def device() -> Finding:
    """What would compute."""
    if torch.cuda.is_available():
        says = f"{torch.cuda.get_device_name()}, {_size(torch.cuda.mem_get_info()[1])}"
    else:
        says = f"CPU, {torch.get_num_threads()} threads: the toybox is made for it, SD is slow"
    return Finding(name="device", ok=True, says=says)


def memory() -> Finding:
    """Free memory."""
    free = psutil.virtual_memory().available
    hint = "" if free >= MEMORY else f": close something, {_size(MEMORY)} should be free"
    return Finding(name="memory", ok=free >= MEMORY, says=f"{_size(free)} free{hint}")


def base() -> Finding:
    """The built-in base."""
    try:
        check(TOYBOX)
    except UserError as mistake:
        return Finding(name="base", ok=False, says=f"{mistake} Install groupshot again.")
    return Finding(name="base", ok=True, says=f"toybox in {TOYBOX}")


def disk(folder: Path) -> Finding:
    """Free disk where one works."""
    free = shutil.disk_usage(folder).free
    hint = "" if free >= DISK else f": free some, a run takes up to {_size(DISK)}"
    return Finding(name="disk", ok=free >= DISK, says=f"{_size(free)} free in {folder}{hint}")


def cache() -> Finding:
    """Where bases from the hub are put."""
    folder = Path(HF_HUB_CACHE)
    place = next(each for each in (folder, *folder.parents) if each.exists())
    ok = os.access(place, os.W_OK)
    hint = "" if ok else " cannot be written to: set HF_HOME to a folder that can"
    return Finding(name="cache", ok=ok, says=f"{folder}{hint}")


def of_cast(base: Base, cast: Cast) -> list[Finding]:
    """Whether methods know what a cast is of, and what may be hard about it."""
    try:
        if base.lexicon:
            check_nouns(cast, base.lexicon)
    except UserError as mistake:
        return [Finding(name="classes", ok=False, says=str(mistake))]
    warnings = list(told(base, cast))
    says = warnings or ["no two of its concepts are likely to be confused"]
    members = [f"<{c.name}> is {with_article(c.noun) if c.noun else LACKS}" for c in cast.concepts]
    return [
        Finding(name="classes", ok=True, says=", ".join(members)),
        photos(cast, base.size),
        Finding(name="confusion", ok=True, warns=bool(warnings), says="\n    ".join(says)),
    ]


def photos(cast: Cast, size: int) -> Finding:
    """Whether any photo is smaller than the pictures of a base, which are so many pixels a side."""
    alone = [photo for concept in cast.concepts for photo in concept.photos]
    every = [*alone, *(each.photo for each in cast.together)]
    sides = {photo.path: photo.image().size for photo in every}
    small = sorted((path for path in sides if min(sides[path]) < size), key=lambda p: min(sides[p]))
    if not small:
        says = f"{len(sides)}, none smaller than the {size} pixels that the base draws"
        return Finding(name="photos", ok=True, says=says)
    width, height = sides[small[0]]
    says = (
        f"{len(small)} of {len(sides)} are smaller than the {size} pixels a side that the base "
        f"draws ({small[0]} has {width} x {height}) and would be enlarged, so that what is learned "
        "is blurred: use larger ones where there are any"
    )
    return Finding(name="photos", ok=True, warns=True, says=says)


def _size(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
