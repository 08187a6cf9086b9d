"""The losses: pure functions on tensors, each a single number."""

import torch.nn.functional as F

from groupshot.shapes import Latent, Scalar


def denoising(guess: Latent, target: Latent) -> Scalar:
    """Mean squared error of the denoiser's guess, whatever it predicts (noise or velocity)."""
    return F.mse_loss(guess.float(), target.float())


def prior(guess: Latent, target: Latent, weight: float) -> Scalar:
    """The same on the base's own pictures of a class, so that the class stays what it was.

    The second term of DreamBooth's loss (arXiv 2208.12242, eq. 2).
    """
    return weight * denoising(guess, target)
