"""The tensors that pass between modules, each with its axes."""

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

Image = Float[Tensor, "b 3 H W"]
"""Pictures, red green blue, from -1 to 1."""

Latent = Float[Tensor, "b c h w"]
"""Pictures as the denoiser sees them, scaled to about unit variance."""

Masks = Float[Tensor, "b k h w"]
"""Where each of k things is in a picture: 0 nowhere, 1 wholly; at any resolution."""

Region = Float[Tensor, "b 1 h w"]
"""Where a loss counts in a picture: 0 not at all, 1 wholly."""

Labels = Float[Tensor, "b l h w"]
"""How likely each of l labels is at each place of a picture."""

FullMasks = Float[Tensor, "b k H W"]
"""Masks of the size of their pictures."""

HardMask = Bool[np.ndarray, "H W"]
"""The pixels of one picture that show one thing."""

CrossMap = Float[Tensor, "b k h w"]
"""How much each place of a picture attends to each of k phrases: probabilities, head mean."""

Positions = Bool[Tensor, "b k n"]
"""Which of a prompt's n positions belong to each of k phrases."""

Queries = Float[Tensor, "b x d"]
"""What each of x places of a picture asks of a prompt, all heads side by side."""

Keys = Float[Tensor, "b n d"]
"""What each of n positions of a prompt is known by, all heads side by side."""

Looks = Float[Tensor, "b k x"]
"""A CrossMap with all x places of the picture in a row."""

Text = Float[Tensor, "b n d"]
"""Prompts as the denoiser sees them: n positions of d features."""

Weight = Float[Tensor, "e d"]
"""A linear map of d features to e others."""

Moment = Float[Tensor, "d d"]
"""The second moment of states of d features: the mean of x xᵀ."""

Ids = Int[Tensor, "b n"]
"""Prompts as numbers of rows in the embedding table."""

Marks = Bool[Tensor, "b n"]
"""Some of the positions of prompts."""

ImageFeatures = Float[Tensor, "i d"]
"""Each of i pictures as a point of the space in which CLIP compares."""

TextFeatures = Float[Tensor, "t d"]
"""Each of t prompts as a point of the same space."""

Likeness = Float[Tensor, "i t"]
"""How well each of t prompts fits each of i pictures."""

Pairs = Bool[Tensor, "i t"]
"""Which of t prompts are true of which of i pictures."""

Times = Real[Tensor, " b"]
"""Timesteps of the noise schedule, 0 the cleanest; some samplers stop between two of them."""

Scalar = Float[Tensor, ""]
"""One number that knows its gradient."""
