"""Evaluation: what is asked of a cast is drawn, judged, and put into numbers."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

from tqdm import tqdm

from groupshot.base import Base
from groupshot.cast import Cast
from groupshot.errors import UserError
from groupshot.pictures import generate
from groupshot.run import Run
from groupshot.runfolder import Trained
from groupshot.scores.asks import Ask, Drawn, asks
from groupshot.scores.clip import Pair, alignments, fitting, pair_of
from groupshot.scores.diversity import diversity
from groupshot.scores.likeness import (
    Hidden,
    Judge,
    Likeness,
    Truth,
    attributes,
    likeness,
    mean,
    truth_of,
)
from groupshot.scores.masks import mask_iou
from groupshot.scores.prior import Shelf, prior
from groupshot.scores.scenes import People
from groupshot.scores.sight import hidden
from groupshot.toybox.casts import TRUTH, truth
from groupshot.toybox.reader import Reader, Reading

Marks = Mapping[str, float]
"""Scores by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is drawn to be judged."""

    each: int = 4
    """Pictures of every prompt: 4 are 16 for each degree of difficulty."""
    prior: int = 200
    """Pictures of class words."""


FULL, QUICK = Amount(), Amount(each=2, prior=48)
NO_PRIOR, NOTHING = Amount(prior=0), Amount(each=0, prior=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The scores of one run; None for what nobody could tell. `likeness.Scores` says what is what.

    `prompt` is the mean of background right and relation right.
    """

    present: float | None = None
    identity: float | None = None
    mixed: float | None = None
    all_right: float | None = None
    missing: float | None = None
    prompt: float | None = None
    prior: float | None = None
    """How much of the base's own idea of the classes is left (`prior.prior`)."""
    diversity: float | None = None
    """How much the pictures of a prompt differ, against drawings of it (`diversity.diversity`)."""
    mask_iou: float | None = None
    """How well the last masks cover what is there (`masks.mask_iou`)."""
    clip_t: float | None = None
    """Mean cosine of pictures and prompts (`clip.alignments`)."""
    clip_i: float | None = None
    """Mean cosine of pictures and photos."""
    pictures: int = 0
    """How many were judged."""
    attributes: Marks = field(default_factory=dict[str, float])
    """Of those who were found in them, the share of whom each attribute is right."""
    degrees: Mapping[str, Marks] = field(default_factory=dict[str, Marks])
    """The same from `present` to `prompt`, for each degree of difficulty."""
    asked: Mapping[str, Marks] = field(default_factory=dict[str, Marks])
    """And for pictures of one, of two, of three, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Who judges the pictures of a cast, and what they know."""

    cast: Cast
    people: People
    """Empty where the cast was not drawn by the world."""
    truth: Truth
    judge: Judge
    pair: Pair | None

    @classmethod
    def of(cls, cast: Cast, base: Base) -> "Panel":
        """The reader for a drawn cast, a CLIP that fits the base for any; UserError if neither."""
        drawn = (cast.folder / TRUTH).is_file()
        try:
            pair = pair_of(base) if drawn else fitting(base)
        except UserError as none:
            raise UserError(
                f"{cast.folder} was not drawn by the toybox, so only the CLIP of {base.source} "
                f"could score it, and it is not to be had: {str(none).split('. ')[0]}"
            ) from none
        return cls(
            cast=cast,
            people=truth(cast.folder) if drawn else {},
            truth=truth_of(cast.folder) if drawn else {},
            judge=Reader.load(),
            pair=pair,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One picture as the judge sees it."""

    ask: Ask
    likeness: Likeness
    background: bool
    """Whether it is the one that was asked for."""
    relation: bool | None
    """Whether they stand to each other as asked; None where nothing was."""

    @property
    def prompt(self) -> float:
        """The share of what the prompt says, besides who is there, that is so."""
        return fmean([self.background] + ([] if self.relation is None else [self.relation]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """Pictures, what the judge said of each, and the numbers that come of it."""

    drawn: Drawn
    judged: Sequence[Judged]
    """In the order of the pictures; nothing where nobody knows what is true."""
    evaluation: Evaluation


def evaluate(run: Trained | Run | str | Path, amount: Amount = FULL) -> Evaluation:
    """Score a finished run with the bench's own prompts and scores.

    Where the run's cast was not drawn by the toybox, nobody knows what is true of it: then there is
    CLIP-T and CLIP-I alone.
    """
    trained = run.trained() if isinstance(run, Run) else run
    trained = trained if isinstance(trained, Trained) else Trained.load(trained)
    cast = Cast.load(cast_folder(trained))
    shelf = Shelf(folder=trained.folder / "untouched", pictures=amount.prior)
    return run_appraised(trained, Panel.of(cast, trained.base), amount, shelf).evaluation


def cast_folder(trained: Trained) -> Path:
    """Where the photos are that a run has learned from; UserError if they are gone."""
    folder = Path(trained.record["cast"]["folder"])
    if not folder.is_dir():
        raise UserError(f"{folder}, the cast of {trained.folder}, is gone: put it back to score it")
    return folder


def run_appraised(trained: Trained, panel: Panel, amount: Amount, shelf: Shelf) -> Appraisal:
    """Draw with what a run has learned, and judge it; the base's own habits are on the shelf.

    Where nothing is to be drawn, its masks alone are judged.
    """
    base, truth = trained.base, panel.truth
    masks = mask_iou(trained.folder, panel.cast.folder)
    if amount == NOTHING:
        return Appraisal(drawn={}, judged=(), evaluation=Evaluation(mask_iou=masks))
    things = shelf.things(truth)
    with base.computing(trained.record["precision"]):
        before = shelf.read(base, panel.judge, things)
        with trained.learned.applied_to(base):
            drawn = portraits(base, panel.cast, amount.each)
            after = shelf.drawn(base, panel.judge, things)
    kept = prior(before, after, truth) if things else None
    return appraised(panel, drawn, kept, masks)


def portraits(
    base: Base, cast: Cast, each: int, worded: Callable[[Ask], str] = lambda ask: ask.prompt
) -> Drawn:
    """So many pictures of every ask of a cast, with the base as it stands."""
    bar = tqdm(asks(cast), desc="drawing", unit="prompt")
    return {ask: generate(base, worded(ask), n=each, seed=ask.seed) for ask in bar}


def appraised(
    panel: Panel, drawn: Drawn, prior: float | None = None, masks: float | None = None
) -> Appraisal:
    """Judge pictures, whoever drew them."""
    judged = list(verdicts(panel, drawn)) if panel.truth else []
    told, shown = alignments(panel.pair, panel.cast, drawn) if panel.pair else (None, None)
    whole = marks(judged) if judged else {}
    evaluation = Evaluation(
        **whole,
        prior=prior,
        diversity=diversity(drawn, panel.people, panel.judge) if judged else None,
        mask_iou=masks,
        clip_t=told,
        clip_i=shown,
        pictures=sum(map(len, drawn.values())),
        attributes=attributes(each.likeness for each in judged),
        degrees=marks_by(judged, lambda ask: ask.degree),
        asked=marks_by(judged, lambda ask: ask.asked),
    )
    return Appraisal(drawn=drawn, judged=judged, evaluation=evaluation)


def verdicts(panel: Panel, drawn: Drawn) -> list[Judged]:
    """What the judge says of every picture."""
    images = [picture for pictures in drawn.values() for picture in pictures]
    whose = [ask for ask, pictures in drawn.items() for _ in pictures]
    unseen = {ask: hidden(ask, panel.people, panel.truth, panel.judge) for ask in drawn}
    readings = panel.judge.read(images)
    return [
        verdict(ask, reading, panel.truth, unseen[ask])
        for ask, reading in zip(whose, readings, strict=True)
    ]


def verdict(ask: Ask, reading: Reading, truth: Truth, unseen: Hidden | None = None) -> Judged:
    """What is to be said of one picture, by what can be seen in it."""
    like = likeness(reading, ask.names, truth, unseen)
    numbers = [i for seen in like.found for i, one in enumerate(reading.characters) if one is seen]
    standing = len(numbers) == len(ask.names) and ask.phrase.holds(reading.relations, numbers)
    return Judged(
        ask=ask,
        likeness=like,
        background=reading.background == ask.background,
        relation=None if ask.phrase.relation is None else standing,
    )


def marks(judged: Sequence[Judged]) -> Marks:
    """From `present` to `prompt`, over some pictures."""
    scores = asdict(mean(each.likeness for each in judged))
    return scores | {"prompt": fmean(each.prompt for each in judged)}


def marks_by(judged: Sequence[Judged], sort: Callable[[Ask], str]) -> dict[str, Marks]:
    """The same, for every sort of asks."""
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        groups[sort(each.ask)].append(each)
    return {name: marks(group) for name, group in groups.items()}
