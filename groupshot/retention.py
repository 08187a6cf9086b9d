"""Retention: what the base makes of its own words stays, while it learns others."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from groupshot.base import Base
from groupshot.losses import moved
from groupshot.shapes import Latent, Text, Times
from groupshot.weights import KEYS_VALUES, Part

Guess = Callable[[Latent, Times, Text], Latent]
"""What a denoiser says of noisy latents at some times, told some texts."""

Term = Callable[[], dict[str, Tensor]]
"""A term of a loss by its name, as things stand; or nothing."""


@torch.no_grad()
def retention(base: Base, parts: Iterable[Part], prompts: Sequence[str], weight: float) -> Term:
    """How far keys and values have `moved` since now for some prompts, and for the empty one.

    A mean over the layers whose keys or values learn as a whole; nothing where none does, or
    `weight` is 0. Ours: pictures of a class, as DreamBooth learns them again, say what to draw for
    it; this says that a class's words are to mean what they meant, whatever is drawn, without a
    pass of the denoiser.
    """
    learning = [
        tensor
        for part in parts
        for name, tensor in part.tensors.items()
        if name.removesuffix(".weight").endswith(KEYS_VALUES)
    ]
    if not (weight and learning):
        return dict
    text = base.text(["", *prompts])
    states = base.reader.told(text, base.size)["encoder_hidden_states"].flatten(0, 1)
    moment = states.T @ states / len(states)
    before = [tensor.clone() for tensor in learning]

    def term() -> dict[str, Tensor]:
        pairs = zip(learning, before, strict=True)
        return {"retention": weight * torch.stack([moved(*each, moment) for each in pairs]).mean()}

    return term


def teacher(base: Base, parts: Iterable[Part]) -> Guess:
    """The denoiser as it is now, whatever `parts` learn later: for each guess they are put back.

    What it says can be learned in the place of noise (Learning without Forgetting, arXiv
    1606.09282): that is the mean of all that noise could have been, so there is less to average.
    """
    learned = [tensor for part in parts for tensor in part.tensors.values()]
    before = [tensor.detach().clone() for tensor in learned]

    @torch.no_grad()
    def guess(noisy: Latent, times: Times, text: Text) -> Latent:
        after = [tensor.data for tensor in learned]
        hold(before)
        try:
            return base.predicted(noisy, times, text)
        finally:
            hold(after)

    def hold(values: Iterable[Tensor]) -> None:
        for tensor, value in zip(learned, values, strict=True):
            tensor.data = value

    return guess
