"""A latent diffusion model that is borrowed."""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from PIL.Image import Image as Picture
from torch import Tensor, nn

from groupshot.base.encoders import Encoder, Reader, reader
from groupshot.base.loading import folder, pipeline, where
from groupshot.base.memory import HALVES, attending, lowered, spared
from groupshot.base.safety import looked_over
from groupshot.base.shares import Shares
from groupshot.basefolder import TOYBOX, Card, card
from groupshot.cast import CALL
from groupshot.errors import UserError
from groupshot.shapes import Ids, Image, Latent, Text, Times

T = TypeVar("T")

SMALL = 10_000
"""Tokens of a vocabulary in which a word of several tokens means nothing; CLIP's has 49,408."""


class Base:
    """A latent diffusion model that is borrowed: whatever is attached to it comes off again."""

    def __init__(
        self,
        pipe: Any,
        card: Card,
        source: str,
        precision: str | None = None,
    ) -> None:
        """Stand on a loaded pipeline; `source` is where it can be loaded from again.

        `precision` is how the denoiser computes, "fp32", "bf16" or "fp16"; None, as good as "fp32",
        until a run has measured whether "bf16" is `faster` here. `stored`, one of the three, is how
        frozen weights lie in memory. `optimiser` names what runs learn with here; `microbatch` is
        how many samples learn at once: None for all of a step, "auto" for as many as there is
        memory for. `drawings` is a folder where what it draws by itself stays for other runs; None,
        it stays in the run that it was drawn for.
        """
        self.pipe = pipe
        self.card = card
        self.source = source
        self.words: dict[str, tuple[int, ...]] = {}
        self.reader: Reader = reader(pipe)
        self.text_encoder: Any = pipe.text_encoder
        self.table: nn.Embedding = self.encoders[0].table
        self.unet: Any = pipe.unet
        halves = {half: name for name, half in HALVES.items()}
        self.stored = halves.get(self.table.weight.dtype, "fp32")
        self.precision = precision
        self.optimiser = "adamw"
        self.microbatch: int | Literal["auto"] | None = None
        self.drawings: Path | None = None
        self.shares = Shares()
        self.schedule: Any = DDPMScheduler.from_config(pipe.scheduler.config)
        self._loan: ExitStack | None = None

    @classmethod
    def load(
        cls,
        source: str = "toybox",
        device: str | None = None,
        precision: str | None = None,
        recompute: bool = False,
    ) -> "Base":
        """Load "toybox", a folder or a file, or a model of the Hugging Face hub.

        A `precision` of "bf16" or "fp16" is also how the weights lie in memory. With `recompute`
        the denoiser's activations are computed again on the way back instead of kept (gradient
        checkpointing). Raises a UserError that names what is missing or cannot be used.
        """
        place = folder(source)
        pipe = spared(pipeline(place, precision), precision, recompute)
        pipe.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(pipe, card(place), source if place == TOYBOX else where(source), precision)

    @property
    def device(self) -> torch.device:
        """Where the weights are; the pipeline's own answer takes a walk through all its modules."""
        return self.table.weight.device

    @property
    def precision(self) -> str | None:
        """How the denoiser computes."""
        return self._precision

    @precision.setter
    def precision(self, precision: str | None) -> None:
        self._precision = precision
        if self.device.type == "cpu":
            self.unet.set_attn_processor(attending(precision, self.unet.config.sample_size))

    @property
    def scale(self) -> float:
        """What a loss is multiplied by on its way back, and gradients divided by.

        In fp16 small gradients would vanish; a power of 2 rounds nothing. A step whose gradients
        overflow fp16 is made again at half the scale.
        """
        return 2.0**12 if self.precision == "fp16" else 1.0

    @property
    def size(self) -> int:
        """Side of a picture, in pixels."""
        return self.unet.config.sample_size * self.pipe.vae_scale_factor

    @property
    def shape(self) -> tuple[int, int, int]:
        """A latent's channels, height and width."""
        side: int = self.unet.config.sample_size
        return self.unet.config.in_channels, side, side

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The text encoders: two in Stable Diffusion XL."""
        return self.reader.encoders

    @property
    def widths(self) -> list[int]:
        """Features of a token in the table of each text encoder; a new row has their sum."""
        return [each.table.embedding_dim for each in self.encoders]

    @property
    def models(self) -> dict[str, nn.Module]:
        """The networks by name: what a run may attach to, and must leave as it was."""
        return {"unet": self.unet, "text_encoder": self.reader.net, "vae": self.pipe.vae}

    @property
    def lexicon(self) -> tuple[str, ...]:
        """The words that a base with a small vocabulary knows; empty where any word will do."""
        vocabulary = self.pipe.tokenizer.get_vocab()
        if len(vocabulary) >= SMALL:
            return ()
        ends = [entry.removesuffix("</w>") for entry in vocabulary if entry.endswith("</w>")]
        return tuple(word for word in ends if len(word) > 1)

    # borrowing

    @contextmanager
    def borrowed(self) -> Generator["Base"]:
        """This base for a while; at the end, all that was attached to it comes off."""
        if self._loan is not None:
            raise RuntimeError("this base is borrowed already")
        with ExitStack() as self._loan:
            self._loan.callback(setattr, self, "_loan", None)
            yield self

    def attach(self, change: AbstractContextManager[T]) -> T:
        """Enter `change`, to be left when the base is given back."""
        if self._loan is None:
            raise RuntimeError("only a borrowed base can be changed: `with base.borrowed(): …`")
        return self._loan.enter_context(change)

    # text

    def ids(self, prompts: Sequence[str]) -> Ids:
        """Prompts as token numbers, a concept `<luna>` as its rows; a UserError if unknown."""
        return self.encoders[0].ids(self._checked(prompts))

    def text(self, prompts: Sequence[str]) -> Text:
        """Prompts as the denoiser reads them."""
        with lowered(self.device, self.stored):
            return self.reader.text(self._checked(prompts)).float()

    def embedded(self, phrase: str) -> Tensor:
        """The embedding rows of a phrase, one a token: where a new token may begin."""
        numbers = torch.tensor(self._numbers(phrase), dtype=torch.long, device=self.device)
        return torch.cat([each.table(numbers) for each in self.encoders], dim=-1).float()

    @property
    def spread(self) -> Tensor:
        """Standard deviation of the embedding table, for every feature of a new row."""
        spreads = [each.table.weight.std().item() for each in self.encoders]
        return torch.tensor(spreads).repeat_interleave(torch.tensor(self.widths))

    def _checked(self, prompts: Sequence[str]) -> list[list[int]]:
        """The numbers of prompts that fit."""
        numbers = [self._numbers(prompt) for prompt in prompts]
        for prompt, own in zip(prompts, numbers, strict=True):
            self.encoders[0].check(prompt, own)
        return numbers

    def _numbers(self, prompt: str) -> list[int]:
        """One prompt's numbers: its words by the tokenizer, its concepts by `words`."""
        numbers: list[int] = []
        for i, piece in enumerate(CALL.split(prompt)):
            if i % 2 == 0:  # words and concepts take turns
                numbers += self.encoders[0].numbers(piece)
            elif piece in self.words:
                numbers += self.words[piece]
            else:
                known = ", ".join(f"<{name}>" for name in self.words) or "none"
                raise UserError(f"<{piece}> is not a concept here; known: {known}.")
        return numbers

    # pictures and noise

    @torch.no_grad()
    def encoded(self, images: Image) -> Latent:
        """Pictures as latents: the mean, without the encoder's noise.

        In bf16 where the denoiser is; never in fp16, where Stable Diffusion XL's VAE overflows.
        """
        vae = self.pipe.vae
        with lowered(self.device, "bf16" if self.precision == "bf16" else None):
            mode = vae.encode(images.to(self.device)).latent_dist.mode()
        return mode.float() * vae.config.scaling_factor

    @torch.no_grad()
    def decoded(self, latents: Latent) -> Image:
        """Latents as pictures, in bf16 where the denoiser's weights lie in it; never in fp16."""
        vae = self.pipe.vae
        with lowered(self.device, "bf16" if self.stored == "bf16" else None):
            images = vae.decode(latents.to(self.device) / vae.config.scaling_factor).sample
        return images.float().clamp(-1, 1)

    @contextmanager
    def computing(self, precision: str) -> Generator[None]:
        """The denoiser in "fp32", "bf16" or "fp16", and afterwards as before."""
        before, self.precision = self.precision, precision
        try:
            yield
        finally:
            self.precision = before

    def predicted(self, noisy: Latent, times: Times, text: Text) -> Latent:
        """What the denoiser says of noisy latents: noise or velocity, as `target`."""
        return self.shares.passed(self._passed, noisy, times, text)

    def _passed(self, noisy: Latent, times: Times, text: Text) -> Latent:
        """The same, at once and here."""
        with lowered(self.device, self.precision):
            return self.unet(noisy, times, **self.reader.told(text, self.size)).sample.float()

    def target(self, latents: Latent, noise: Latent, times: Times) -> Latent:
        """What the denoiser should say."""
        if self.schedule.config.prediction_type == "v_prediction":
            return self.schedule.get_velocity(latents, noise, times)
        return noise

    def guessed(
        self, latents: Latent, text: Text, generator: torch.Generator
    ) -> tuple[Latent, Latent]:
        """The denoiser's guess at random times and with random noise, and the target for it."""
        noisy, times, target = self.noised(latents, generator)
        return self.predicted(noisy, times, text), target

    def noised(self, latents: Latent, generator: torch.Generator) -> tuple[Latent, Times, Latent]:
        """Latents at random times with random noise, the times, and the target there."""
        steps: int = self.schedule.config.num_train_timesteps
        times = torch.randint(steps, (len(latents),), generator=generator).to(self.device)
        noise = torch.randn(latents.shape, generator=generator).to(self.device)
        noisy = self.schedule.add_noise(latents, noise, times)
        return noisy, times, self.target(latents, noise, times)

    # drawing

    @torch.no_grad()
    def sampled(
        self,
        prompts: Sequence[str],
        generators: list[torch.Generator],
        steps: int | None = None,
        guidance: float | None = None,
    ) -> Latent:
        """A latent for each prompt, drawn from its own generator, with the base as it stands."""
        scheduler: Any = type(self.pipe.scheduler).from_config(self.pipe.scheduler.config)
        scheduler.set_timesteps(steps or self.card.steps, device=self.device)
        scale = self.card.guidance if guidance is None else guidance
        chance = self.pipe.prepare_extra_step_kwargs(generators, 0.0)
        text = self.text([*[""] * len(prompts), *prompts])
        if self.pipe.config.get("force_zeros_for_empty_prompt"):
            text[: len(prompts)] = 0
        shape = (1, *self.shape)
        latents = torch.cat([torch.randn(shape, generator=g) for g in generators])
        latents = latents.to(self.device) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            twice = scheduler.scale_model_input(torch.cat([latents, latents]), t)
            blank, told = self.predicted(twice, t.expand(len(twice)), text).chunk(2)
            guess = blank + scale * (told - blank)
            guess = rescale_noise_cfg(guess, told, self.card.guidance_rescale)
            latents = scheduler.step(guess, t, latents, **chance).prev_sample
        return latents

    def pictures(self, latents: Latent) -> list[Picture]:
        """Latents as pictures to look at; what a safety checker withholds is blank and marked."""
        return looked_over(self.pipe, self.decoded(latents))
