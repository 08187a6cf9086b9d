"""How big the base's networks are and how they are trained; one place for every number."""

from dataclasses import dataclass

from groupshot.toybox.world import SIZE

SAVE_EVERY = 180.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How one stage is optimised."""

    batch: int
    rate: float
    """Peak learning rate of Muon; AdamW's is a twentieth of it."""
    warmup: int
    """Steps until the peak."""
    first: int
    """Scenes drawn before the first step."""
    fresh: int
    """Scenes drawn with every later step."""
    most: int
    """Scenes after which drawing stops."""
    ema: float = 0.999

    def drawn_by(self, step: int) -> int:
        """Scenes that the step chooses from."""
        return min(self.most, self.first + step * self.fresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Sizes of the four networks, and the pace of each stage."""

    vae_channels: tuple[int, ...] = (32, 64, 96)
    latent_channels: int = 6
    """The first three are held close to the picture's own colours."""
    anchor: float = 0.3
    """Weight of that hold."""
    vae_crop: int = 64
    """Side of the crops that most of the VAE's training sees."""
    kl: float = 3e-4
    """Weight of the mean KL divergence of a latent number."""
    vae: Pace = Pace(batch=8, rate=0.02, warmup=30, first=400, fresh=2, most=6000, ema=0.99)

    width: int = 192
    """Hidden size of text encoder and vision tower, and the U-Net's cross-attention."""
    layers: int = 4
    heads: int = 4
    patch: int = 16
    projection: int = 128
    hard: int = 96
    """Captions with sides or colours swapped that are added to every batch, at most."""
    text: Pace = Pace(batch=128, rate=0.02, warmup=20, first=0, fresh=0, most=0, ema=0.99)
    clip: Pace = Pace(batch=128, rate=0.02, warmup=20, first=2500, fresh=10, most=20000, ema=0.99)

    unet_channels: tuple[int, ...] = (64, 128, 192)
    unet_layers: tuple[int, ...] = (1, 1, 1)
    """Residual blocks of each level on the way down, one more on the way up.

    With (2, 2, 1) what ships grows (see `growth`): 160,000 pictures more changed its errors by -4,
    -1, +2 and 0 % (`python -m groupshot.benchmarks.heldout`, from the clearest quarter on); of two
    of one class 80 instead of 75 % were there, but a step took 0.22 instead of 0.14 s (`groupshot
    bases --check`).
    """
    head_width: int = 32
    groups: int = 16
    blank: float = 0.1
    """Share of captions left empty, for classifier-free guidance."""
    hints: float = 0.05
    """Weight of naming what is drawn where, from the U-Net's own features (see `hints`)."""
    unet: Pace = Pace(batch=16, rate=0.02, warmup=100, first=1600, fresh=1, most=60000, ema=0.995)
    """The rate is for the first 745,000 pictures. Half of it was right for 75,000 more that ended
    at zero; from there on 85,000 at a constant half undid them (`python -m
    groupshot.benchmarks.heldout`: .239 -> .268), and 55,000 from a twentieth down changed nothing.
    """
    reading: Pace = Pace(batch=32, rate=3e-3, warmup=60, first=3200, fresh=2, most=60000, ema=0.995)
    """88,000 pictures at this rate, falling to zero: both classes of two were right in 65 instead
    of 54 % of prompts (`groupshot bases --check toybox -n 1000`).
    """

    @property
    def shrink(self) -> int:
        """How many pixels a latent is wide."""
        return 2 ** (len(self.vae_channels) - 1)

    @property
    def latent(self) -> int:
        """Side of a picture's latents."""
        return SIZE // self.shrink


RECIPE = Recipe()

TINY = Recipe(
    vae_channels=(16, 16, 16),
    width=32,
    layers=1,
    heads=2,
    projection=16,
    hard=2,
    unet_channels=(16, 32, 32),
    head_width=16,
    groups=8,
    vae=Pace(batch=2, rate=1e-2, warmup=2, first=4, fresh=0, most=4),
    text=Pace(batch=4, rate=1e-2, warmup=2, first=0, fresh=0, most=0),
    clip=Pace(batch=4, rate=1e-2, warmup=2, first=8, fresh=0, most=8),
    unet=Pace(batch=2, rate=1e-2, warmup=2, first=4, fresh=0, most=4),
    reading=Pace(batch=2, rate=1e-2, warmup=2, first=4, fresh=0, most=4),
)
"""Networks that train two steps within a second, for tests."""
