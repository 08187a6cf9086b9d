"""The losses: pure functions on tensors, each a single number.

Masks are given at the resolution of what they are compared with.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from groupshot.shapes import (
    CrossMap,
    ImageFeatures,
    Latent,
    Likeness,
    Masks,
    Moment,
    Pairs,
    Region,
    Scalar,
    TextFeatures,
    Weight,
)

TINY = 1e-12
"""What stands for zero below a fraction, so that nothing divided by nothing is nothing."""

PIXELS = (-2, -1)
"""The axes of a picture's height and width."""


def denoising(guess: Latent, target: Latent) -> Scalar:
    """Mean squared error of the denoiser's guess, whatever it predicts (noise or velocity)."""
    return F.mse_loss(guess.float(), target.float())


def prior(guess: Latent, target: Latent, weight: float) -> Scalar:
    """The same on the base's own pictures of a class, so that the class stays what it was.

    The second term of DreamBooth's loss (arXiv 2208.12242, eq. 2). 0 where there are none.
    """
    return weight * denoising(guess, target) if len(guess) else guess.new_zeros(())


def moved(weight: Weight, before: Weight, moment: Moment) -> Scalar:
    """How far a linear map has moved what it makes of some states x: E|(W − W₀)x|² / E|W₀x|².

    The states are given by their second moment, E xxᵀ. Ours, for what keys and values make of
    prompts whose meaning is to stay.
    """
    change = weight - before
    return ((change @ moment) * change).sum() / ((before @ moment) * before).sum()


def masked(guess: Latent, target: Latent, region: Region) -> Scalar:
    """`denoising` inside a region, as a mean over the whole picture: a small region counts little.

    Break-A-Scene's code (arXiv 2305.16311), which masks guess and target; concept-driven EM's
    "mask diffusion loss" (arXiv 2402.11487, eq. 3) is assumed to be the same.
    """
    return denoising(region * guess.float(), region * target.float())


def masked_by_area(guess: Latent, target: Latent, region: Region) -> Scalar:
    """`denoising` inside a region, as a mean over it: every picture's region counts alike.

    The codes of Custom Diffusion (arXiv 2212.04488) and Mix-of-Show (arXiv 2305.18292). They divide
    by an area that counts each place once for all c channels, and are c times as large as this,
    which is `denoising` where the region is everything. An empty region gives 0.
    """
    error = (guess.float() - target.float()).square().mean(1, keepdim=True)
    return within(error, region).mean()


def localised(maps: CrossMap, masks: Masks) -> Scalar:
    """Mean squared error of each phrase's map, relative to its peak, to the mask of its thing.

    Summed over the phrases, as in Break-A-Scene's code (arXiv 2305.16311); concept-driven EM's
    "cross-attention loss" (arXiv 2402.11487, eq. 4) is assumed to be the same. The peak has a
    gradient too. A phrase that a picture lacks, with an empty mask, gives 0.
    """
    return (relative(maps) - masks).square().mean(PIXELS).sum(1).mean()


def outside(maps: CrossMap, masks: Masks) -> Scalar:
    """Mean of each phrase's map, relative to its peak, outside the mask of its thing.

    Summed over the phrases, as Mix-of-Show's code (arXiv 2305.18292) does for an identity's word:
    within its mask a word may look where it likes. There the peak and the mean are those of a whole
    batch, here each picture's own. A mask of everything gives 0.
    """
    return within(relative(maps), 1 - masks).sum(1).mean()


def leaking(maps: CrossMap, masks: Masks) -> Scalar:
    """The share of each phrase's attention that falls outside the mask of its thing.

    Summed over the phrases. Ours: unlike `outside` it has no peak that a single place decides, and
    a phrase that looks hard at its thing may look a little elsewhere.
    """
    everywhere = maps.sum(PIXELS).clamp(min=TINY)
    return ((maps * (1 - masks)).sum(PIXELS) / everywhere).sum(1).mean()


def contested(maps: CrossMap, masks: Masks) -> Scalar:
    """How much of what places attend to phrases goes to another's than that of the thing there.

    Ours: the cross-entropy of telling by attention whose each masked place is, the phrases only
    compared with each other, as a mean over the places. A picture with one phrase gives 0; what
    attends to anything else in the prompt, and what is in no mask, is free.
    """
    shares = maps / maps.sum(1, keepdim=True).clamp(min=TINY)
    surprise = -(masks * shares.clamp(min=TINY).log())
    return (surprise.sum((1, *PIXELS)) / masks.sum((1, *PIXELS)).clamp(min=TINY)).mean()


FORMULAS: Mapping[str, Callable[[CrossMap, Masks], Scalar]] = {
    "relative": localised,
    "outside": outside,
    "leaking": leaking,
    "contested": contested,
}
"""What can be asked of attention, by name."""


def relative(maps: CrossMap) -> CrossMap:
    """Maps divided by their peaks."""
    return maps / maps.amax(PIXELS, keepdim=True).clamp(min=TINY)


def within(values: Masks, masks: Masks) -> Tensor:
    """The mean of values over masks, for each mask of each picture: b × k."""
    return (values * masks).sum(PIXELS) / masks.sum(PIXELS).clamp(min=TINY)


def cosine(images: ImageFeatures, texts: TextFeatures) -> Likeness:
    """The cosine of the angle between features."""
    return F.normalize(images) @ F.normalize(texts).T


def inner(images: ImageFeatures, texts: TextFeatures) -> Likeness:
    """The inner product of features, their lengths included."""
    return images @ texts.T


def contrastive(
    images: ImageFeatures,
    texts: TextFeatures,
    pairs: Pairs,
    scale: float | Tensor,
    likeness: Callable[[ImageFeatures, TextFeatures], Likeness] = cosine,
) -> Scalar:
    """How badly pictures are told apart by their texts, and texts by their pictures.

    CLIP's symmetric InfoNCE (arXiv 2103.00020, fig. 3), which is stage 1 of CLIF (arXiv 2405.06914)
    with `scale` CLIP's own e^τ = 100. Where several texts fit a picture, each is right in equal
    parts (arXiv 2004.11362, eq. 2). `likeness` is `inner` in CLIF's code, which does not normalise.
    """
    logits = scale * likeness(images.float(), texts.float())
    right = pairs.to(logits)
    return (picked(logits, right) + picked(logits.T, right.T)) / 2


def picked(logits: Likeness, right: Likeness) -> Scalar:
    """Cross-entropy of picking, in each row, one of the columns that are right."""
    return F.cross_entropy(logits, right / right.sum(1, keepdim=True))


def alike(captions: Sequence[str]) -> Pairs:
    """Which captions are the same, and so fit each other's pictures as well as their own."""
    numbers = torch.tensor([captions.index(caption) for caption in captions])
    return numbers[:, None] == numbers[None, :]
