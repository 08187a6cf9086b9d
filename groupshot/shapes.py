"""The tensors that pass between modules, each with its axes."""

from jaxtyping import Float, Int, Real
from torch import Tensor

Image = Float[Tensor, "b 3 H W"]
"""Pictures, red green blue, from -1 to 1."""

Latent = Float[Tensor, "b c h w"]
"""Pictures as the denoiser sees them, scaled to about unit variance."""

Masks = Float[Tensor, "b k h w"]
"""Where each of k things is in a picture: 0 nowhere, 1 wholly; at any resolution."""

CrossMap = Float[Tensor, "b k h w"]
"""How much each place of a picture attends to each of k phrases: probabilities, head mean."""

Text = Float[Tensor, "b n d"]
"""Prompts as the denoiser sees them: n positions of d features."""

Ids = Int[Tensor, "b n"]
"""Prompts as numbers of rows in the embedding table."""

Times = Real[Tensor, " b"]
"""Timesteps of the noise schedule, 0 the cleanest; some samplers stop between two of them."""

Scalar = Float[Tensor, ""]
"""One number that knows its gradient."""
