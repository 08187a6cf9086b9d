"""Where a base is trained: its folder, and the stages as they are taken up or gone on with."""

import shutil
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import CLIPTextModel, CLIPTokenizer

import groupshot.toybox.world as world
from groupshot.toybox.training import autoencoder, contrast, denoiser, growth, pair, parts, tokens
from groupshot.toybox.training import wording as words
from groupshot.toybox.training.album import Album, Draw, Finish, same
from groupshot.toybox.training.loop import Stage
from groupshot.toybox.training.recipe import Recipe
from groupshot.toybox.training.records import Field, Records

APART = 10_000_000
"""Seeds from one process's scenes to the next one's: a team learns from more scenes than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The folder that a base is trained in, and with what."""

    folder: Path
    recipe: Recipe
    device: torch.device
    pool: ProcessPoolExecutor | None = None
    """Who draws while training."""
    rank: int = 0
    """Which of a team's processes this is; each has drawings of its own."""

    @property
    def parts(self) -> Path:
        """Folder of the finished parts, in full precision."""
        return self.folder / "parts"

    def started(self, stage: str) -> bool:
        """Whether there is a checkpoint of the stage."""
        return (self.folder / stage / "state.safetensors").exists()

    def has(self, part: str) -> bool:
        """Whether the part has been finished before."""
        return (self.parts / part).exists()

    def album(
        self, name: str, draw: Draw, fields: dict[str, Field], finish: Finish = same
    ) -> Album:
        """The album of that name; drawings of another version of the world are not reused."""
        here = Path(world.__file__).parent
        records = Records(
            self.folder / f"cache-{self.rank}" / f"{name}-{parts.digest(here)}", fields
        )
        return Album(
            records=records,
            draw=draw,
            finish=finish,
            pool=self.pool,
            ahead=deque(),
            first=self.rank * APART,
        )


def prepare(shop: Workshop, shipped: Path | None) -> None:
    """Make the folder, from the parts of a shipped base if one is given."""
    shop.parts.mkdir(parents=True, exist_ok=True)
    if shipped is not None and not any(shop.parts.iterdir()):
        shutil.copytree(shipped, shop.parts, dirs_exist_ok=True)
    if not shop.has(parts.TOKENIZER):
        tokens.save(shop.parts / parts.TOKENIZER)


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Initial weights that depend on the seed alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def autoencoding(shop: Workshop, decoder_only: bool) -> Stage:
    """The VAE's stage, or the later one of its decoder."""
    old = shop.has(parts.VAE) and not (shop.started("vae") and not decoder_only)
    model = parts.vae_in(shop.parts) if old else autoencoder.fresh_vae(shop.recipe)
    album = shop.album("marked", autoencoder.page, autoencoder.FIELDS)
    return autoencoder.Autoencoding(
        shop.recipe, parts.placed(model, shop.device), album, shop.parts, decoder_only
    )


def wording(shop: Workshop) -> Stage:
    """The stage in which the text encoder learns from captions alone."""
    model = words.Worded(text_of(shop), shop.recipe.heads)
    return words.Wording(shop.recipe, parts.placed(model, shop.device), shop.parts)


def text_of(shop: Workshop) -> CLIPTextModel:
    """The text encoder, untrained or as it was last finished."""
    if shop.has(parts.TEXT):
        return parts.text_in(shop.parts)
    tokenizer = CLIPTokenizer.from_pretrained(shop.parts / parts.TOKENIZER)
    return pair.fresh_text(shop.recipe, tokenizer)


def contrasting(shop: Workshop, vision_only: bool) -> Stage:
    """The CLIP pair's stage, or the later one of its vision tower."""
    albums = contrast.Albums(
        shop.album("nameable", contrast.page, contrast.FIELDS),
        shop.album("collages", contrast.collage_page, contrast.COLLAGE_FIELDS),
    )
    model = parts.placed(paired(shop), shop.device)
    return contrast.Contrasting(shop.recipe, model, albums, shop.parts, vision_only)


def paired(shop: Workshop) -> pair.Pair:
    """The CLIP pair, each half untrained or as it was last finished."""
    known = shop.has(parts.VISION)
    vision = parts.vision_in(shop.parts) if known else pair.fresh_vision(shop.recipe)
    model = pair.Pair(text_of(shop), vision, shop.recipe.heads)
    if known:
        held = parts.projection_in(shop.parts)
        named = {"projection.weight": held["weight"], "logit_scale": held["logit_scale"]}
        model.load_state_dict(named, strict=False)
    return model


def denoising(shop: Workshop, reading_only: bool) -> Stage:
    """The U-Net's stage, or the later one of how it reads; on the VAE as it was last finished."""
    vae = parts.placed(parts.vae_in(shop.parts), shop.device).requires_grad_(False)
    encode = denoiser.Encode(parts.channels_last(vae), shop.recipe.shrink)
    fields = encode.fields(shop.recipe.latent_channels, shop.recipe.latent)
    name = f"latents-{parts.weights_of(*parts.encoding(vae))}"
    tokenizer = CLIPTokenizer.from_pretrained(shop.parts / parts.TOKENIZER)
    reading = denoiser.Reading(tokenizer, parts.placed(parts.text_in(shop.parts), shop.device))
    if shop.has(parts.UNET):
        model = growth.grown(parts.unet_in(shop.parts), shop.recipe)
    else:
        model = denoiser.fresh_unet(shop.recipe)
    album = shop.album(name, denoiser.page, fields, encode)
    placed = parts.placed(model, shop.device)
    return denoiser.Denoising(shop.recipe, placed, reading, album, shop.parts, reading_only)


STAGES: dict[str, Callable[[Workshop], Stage]] = {
    "text": wording,
    "vae": lambda shop: autoencoding(shop, decoder_only=False),
    "clip": lambda shop: contrasting(shop, vision_only=False),
    "unet": lambda shop: denoising(shop, reading_only=False),
    "reading": lambda shop: denoising(shop, reading_only=True),
    "decoder": lambda shop: autoencoding(shop, decoder_only=True),
    "vision": lambda shop: contrasting(shop, vision_only=True),
}
"""What can be trained: the first four in this order, then three that improve on them."""

SEED = 3
INSTEAD = {"vae": "decoder", "text": "reading", "clip": "vision", "unet": "reading"}
"""What to train of a base when later stages stand on the result of an earlier one."""


def taken_up(shop: Workshop, name: str) -> Stage:
    """The stage, new or as it was last left; refuses to pull the ground from under a later one."""
    later = next((s for s in ("unet", "reading") if s != name and shop.started(s)), None)
    if name in INSTEAD and later:
        raise SystemExit(
            f"{later} in {shop.folder} stands on this {name}: use --stage {INSTEAD[name]}"
        )
    with seeded(SEED):
        return STAGES[name](shop)
