"""Shares: a batch on its way through a denoiser, dealt out to processes and taken in pieces.

Only the pass itself is shared. What goes in was drawn for the whole batch, and what comes out is
the whole batch again, in every process: so a loss may be any function of it, and its gradient is
the same however the batch was dealt.
"""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from groupshot.team import ALONE, Team


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deal:
    """Which samples of a batch pass through the denoiser in this process, piece by piece."""

    pieces: tuple[slice, ...]
    """In their order, with nothing between them."""
    size: int
    """Samples of the whole batch."""
    team: Team = ALONE

    @property
    def own(self) -> slice:
        """The samples of all pieces."""
        return slice(self.pieces[0].start, self.pieces[-1].stop)

    @property
    def widest(self) -> int:
        """Samples of the largest piece."""
        return max(piece.stop - piece.start for piece in self.pieces)

    def passed(self, denoiser: Callable[..., Tensor], *batch: Tensor) -> Tensor:
        """What a denoiser makes of the whole batch.

        Of all pieces but the last nothing is kept for the way back: they pass again on it.
        """
        *first, last = ([each[piece] for each in batch] for piece in self.pieces)
        made = [checkpoint(denoiser, *piece, use_reentrant=False) for piece in first]
        return self.gathered(torch.cat([*made, denoiser(*last)]))

    def gathered(self, own: Tensor) -> Tensor:
        """Something of this process's own samples, with that of the others' around it.

        All have the same loss and will have the mean of their gradients: so what comes back to a
        share, which only one process has, must count as often as there are processes.
        """
        if self.team.size == 1:
            return own
        self.team.agree()
        whole = own.new_zeros(self.size, *own.shape[1:])
        whole[self.own] = own.detach()
        self.team.summed(whole)
        mine = own.view_as(own)
        if mine.requires_grad:
            mine.register_hook(self._as_all)
        return torch.cat([whole[: self.own.start], mine, whole[self.own.stop :]])

    def _as_all(self, gradient: Tensor) -> Tensor:
        """The sum of the same gradient in every process."""
        return gradient * self.team.size


class Shares:
    """How the batches of one denoiser are dealt: whole, until `taken` says otherwise."""

    def __init__(self) -> None:
        """Whole batches, all of them in this process."""
        self.team = ALONE
        self.most: int | None = None
        self.deal = whole(0)
        """That of the last pass."""
        self.widest = 0
        """The most samples that have passed at once since the shares were last taken."""

    @contextmanager
    def taken(self, team: Team, most: int | None) -> Generator[None]:
        """Deal passes that have a gradient out to a team, at most so many samples at once."""
        self.team, self.most, self.widest = team, most, 0
        try:
            yield
        finally:
            self.team, self.most = ALONE, None

    def passed(self, denoiser: Callable[..., Tensor], *batch: Tensor) -> Tensor:
        """What a denoiser makes of a batch, in shares."""
        size = len(batch[0])
        learning = torch.is_grad_enabled()
        self.deal = dealt(size, self.team, self.most) if learning else whole(size)
        self.widest = max(self.widest, self.deal.widest)
        return self.deal.passed(denoiser, *batch)


def whole(size: int) -> Deal:
    """A batch in one piece, in every process that has it."""
    return Deal(pieces=(slice(0, size),), size=size)


def dealt(size: int, team: Team, most: int | None) -> Deal:
    """A batch as evenly as it goes; one of fewer samples than processes is everyone's."""
    if size < team.size:
        team = ALONE
    own = evenly(slice(0, size), team.size)[team.rank]
    count = math.ceil((own.stop - own.start) / (most or max(1, size)))
    return Deal(pieces=tuple(evenly(own, max(1, count))), size=size, team=team)


def evenly(samples: slice, count: int) -> Sequence[slice]:
    """Samples in so many pieces, the sizes of which differ by one at most."""
    size = samples.stop - samples.start
    ends = [samples.start + size * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in zip(ends, ends[1:], strict=False)]
