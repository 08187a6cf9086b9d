"""The demo: two look-alikes, learned from their photos and drawn together on the built-in base."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.files import save_json
from groupshot.folders import check_writable, filled
from groupshot.pictures import generate
from groupshot.progress import watched
from groupshot.report import Row, sheet
from groupshot.run import Run
from groupshot.scores import evaluated, truth_of
from groupshot.stage import Method
from groupshot.toybox.reader import Reader

ALONE = (
    "{} on the beach",
    "{} in the snow",
    "{} in the city",
    "{} under the sea",
    "{} at night",
    "{} on a stage",
)
TOGETHER = (
    "{} and {} on the beach",
    "{} next to {} in the forest",
    "{} and {} holding hands at night",
    "{} hugging {} in a meadow",
    "{} on the left and {} on the right in the city",
    "{} and {} side by side under the sea",
)
PICTURES = 2
"""Drawn for each scene together; the sheet shows the first, the scores see all."""

PARTS = ("run", "sheet.png", "scores.json")
KEYS = ("present", "identity", "mixed", "all_right")

Pictures = dict[str, list[Image.Image]]
"""What was drawn, by prompt."""


def demonstrated(method: Callable[[Base], Method], out: Path) -> dict[str, float]:
    """Fill `out` with run, sheet.png and scores.json, in place of an earlier demo's; the scores."""
    check_writable(out)
    check_ours(out)
    cast, base, judge = Cast.load(examples() / "two-cats"), Base.load("toybox"), Reader.load()
    with filled(out) as folder:
        run = Run(cast, method=method(base), base=base, out=folder / "run")
        for _ in watched(run):
            pass
        concepts = [f"<{name}>" for name in cast.names]
        with run.trained().learned.applied_to(base):
            alone = [drawn(base, [scene.format(who) for scene in ALONE], 1) for who in concepts]
            together = drawn(base, [scene.format(*concepts) for scene in TOGETHER], PICTURES)
        measured = asdict(evaluated(together, truth_of(cast.folder), judge))
        scores = {key: measured[key] for key in KEYS}
        rows = [row(f"<{name}> alone", one) for name, one in zip(cast.names, alone, strict=True)]
        page = sheet([*photos(cast), *rows, row("both together", together)])
        page.save(folder / "sheet.png")
        save_json(folder / "scores.json", scores)
    return scores


def drawn(base: Base, prompts: Iterable[str], n: int) -> Pictures:
    """Draw `n` pictures for each prompt."""
    bar = tqdm(list(prompts), desc="drawing", unit="scene")
    return {prompt: generate(base, prompt, n=n, seed=0) for prompt in bar}


def photos(cast: Cast) -> list[Row]:
    """What was learned from."""
    return [
        Row(heading=f"the photos of {c.name}", pictures=[p.image() for p in c.photos])
        for c in cast.concepts
    ]


def row(heading: str, pictures: Pictures) -> Row:
    """The first picture of every prompt, and the prompt below it."""
    first = [each[0] for each in pictures.values()]
    return Row(heading=heading, pictures=first, captions=list(pictures))


def check_ours(out: Path) -> None:
    """Refuse to replace anything but an earlier demo."""
    if out.is_dir() and {each.name for each in out.iterdir()} not in (set(PARTS), set()):
        raise UserError(f"{out} holds other things than a demo: give another --out")


def examples() -> Path:
    """The folder of the example casts: inside an installed package, beside a checked-out one."""
    package = Path(__file__).parent
    inside = package / "examples"
    return inside if inside.is_dir() else package.parent / "examples"
