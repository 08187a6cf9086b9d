"""The stage that trains the CLIP pair, and the one that goes on with its vision tower alone."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTokenizer
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from groupshot.toybox.swaps import SWAPS, told_apart
from groupshot.toybox.training import labels, parts
from groupshot.toybox.training.album import Album, Drawn
from groupshot.toybox.training.loop import Rng, mixed_precision, rng_at
from groupshot.toybox.training.pair import Pair, contrast
from groupshot.toybox.training.recipe import Pace, Recipe
from groupshot.toybox.training.records import Array, Field
from groupshot.toybox.training.tokens import LENGTH
from groupshot.toybox.world import SIZE, Scene, caption, collage, draw, dream, mirrored

SEED, COLLAGE_SEED = 23, 24
COLLAGES = 5
"""Every how manieth picture is a collage."""
NAMING = 0.3
"""Weight of naming attributes, against that of the contrast."""
SAID = 256
"""Bytes kept of a collage's caption."""
IMAGE = Field(shape=(SIZE, SIZE, 3), dtype="uint8")
FIELDS = {"image": IMAGE, "owners": Field(shape=(SIZE, SIZE), dtype="uint8")}
COLLAGE_FIELDS = {"image": IMAGE, "said": Field(shape=(SAID,), dtype="uint8")}


def scene_at(seed: int) -> Scene:
    """The scene on page `seed` of the album."""
    return dream(rng_at(SEED, seed), population="nameable")


def page(seed: int) -> Drawn:
    """A drawing of a scene that captions can name, with its answers."""
    drawn = draw(scene_at(seed))
    return {"image": drawn.image, "owners": drawn.owners}


def collage_page(seed: int) -> Drawn:
    """A collage with its caption as padded bytes."""
    made = collage(rng_at(COLLAGE_SEED, seed))
    said = np.zeros(SAID, np.uint8)
    text = made.caption.encode()[:SAID]
    said[: len(text)] = np.frombuffer(text, np.uint8)
    return {"image": made.image, "said": said}


class Batch(NamedTuple):
    """Pictures with captions, and captions that are true of none of them."""

    images: Array
    captions: list[str]
    scenes: list[Scene | None]
    """None for collages."""
    wrong: list[str]
    painted: dict[str, Array]
    """Labels of every patch; ABSENT in collages."""


class Albums(NamedTuple):
    """What the pair is shown."""

    scenes: Album
    collages: Album


class Contrasting:
    """Matches pictures and captions; `vision_only` leaves the text encoder as it is."""

    def __init__(
        self, recipe: Recipe, model: Pair, albums: Albums, out: Path, vision_only: bool
    ) -> None:
        """`out` is the folder of finished parts."""
        self.name = "vision" if vision_only else "clip"
        self.recipe, self.model, self.albums, self.out = recipe, model, albums, out
        self.pace: Pace = recipe.clip
        self.vision_only = vision_only
        for half in (model.text, model.named_text, model.gist_text):
            half.requires_grad_(not vision_only)
        self.tokenizer = CLIPTokenizer.from_pretrained(out / parts.TOKENIZER)

    def losses(self, step: int, progress: float) -> dict[str, Tensor]:
        """The contrast, and the naming of attributes from either side."""
        pages = self.draw(step)
        device = self.model.logit_scale.device
        batch = self.batch(rng_at(SEED, 1, step), *pages)
        told = {**labels.whole(batch.scenes), **labels.worn(batch.scenes)}
        named = {name: torch.from_numpy(values).to(device) for name, values in told.items()}
        true = len(batch.captions)
        with mixed_precision(device):
            ids = tokenized(self.tokenizer, batch.captions + batch.wrong).to(device)
            with torch.set_grad_enabled(not self.vision_only):
                read = self.model.text(ids)
                naming = self.model.named_text(read.last_hidden_state[:true], named)
                naming = naming + self.model.gist_text(read.pooler_output[:true], named)
            texts = F.normalize(self.model.projection(read.pooler_output).float(), dim=-1)
            seen = self.model.vision(normalised(batch.images).to(device))
            images = F.normalize(seen.image_embeds.float(), dim=-1)
            looking = self.model.named_vision(seen.last_hidden_state, named)
            looking = looking + self.model.gist_vision(seen.image_embeds, named)
            there = {k: torch.from_numpy(v).to(device) for k, v in batch.painted.items()}
            looking = looking + self.model.painted(seen.last_hidden_state, there)
        terms = {"vision": NAMING * looking} | (
            {} if self.vision_only else {"text": NAMING * naming}
        )
        return {"contrast": contrast(images, texts[:true], texts[true:], self.model.scale), **terms}

    def draw(self, step: int) -> tuple[int, int]:
        """Let the albums grow with the steps; how many scenes and collages there are then."""
        upto = self.pace.drawn_by(step)
        return self.albums.scenes.grow(upto), self.albums.collages.grow(max(1, upto // COLLAGES))

    def batch(self, rng: Rng, pages: int, collages: int) -> Batch:
        """Scenes as drawn or mirrored, with a caption of any degree, and some collages."""
        some = max(1, self.pace.batch // COLLAGES)
        chosen = rng.integers(pages, size=self.pace.batch - some)
        images, owners = (self.albums.scenes.records.read(k, chosen) for k in FIELDS)
        scenes = [scene_at(self.albums.scenes.first + int(i)) for i in chosen]
        for row in np.flatnonzero(rng.random(len(scenes)) < 0.5):
            images[row], owners[row] = images[row, :, ::-1], owners[row, :, ::-1]
            scenes[row] = mirrored(scenes[row])
        seeds = [int(seed) for seed in rng.integers(2**32, size=len(scenes))]
        said = [caption(s, rng_at(seed)) for s, seed in zip(scenes, seeds, strict=True)]
        wrong = swapped(scenes, seeds, said)[: self.recipe.hard]
        chosen = rng.integers(collages, size=some)
        pasted = self.albums.collages.records.read("image", chosen)
        told = [bytes(b) for b in self.albums.collages.records.read("said", chosen)]
        said += [text.rstrip(b"\0").decode() for text in told]
        everything = np.concatenate([images, pasted])
        return Batch(everything, said, [*scenes, *[None] * some], wrong, self.there(scenes, owners))

    def there(self, scenes: list[Scene], owners: Array) -> dict[str, Array]:
        """Labels of every patch of the scenes, and as many of collages that have none."""
        half, side = self.recipe.patch // 2, self.recipe.patch
        table = labels.places(scenes, owners[:, half::side, half::side])
        none = np.full((self.pace.batch - len(scenes), *table["kind"].shape[1:]), labels.ABSENT)
        return {name: np.concatenate([values, none]) for name, values in table.items()}

    def publish(self, weights: dict[str, Tensor]) -> None:
        """Write both encoders, the text projection and the logit scale."""
        self.model.load_state_dict({**self.model.state_dict(), **weights})
        self.model.vision.save_pretrained(self.out / parts.VISION)
        if not self.vision_only:
            self.model.text.save_pretrained(self.out / parts.TEXT)
        scale = self.model.scale.log().detach().clone()
        projection = self.model.projection.weight.detach().contiguous()
        parts.save_projection(self.out, {"weight": projection, "logit_scale": scale})


def swapped(scenes: list[Scene], seeds: list[int], said: list[str]) -> list[str]:
    """Captions with sides or colours swapped, worded like the true ones."""
    wrong: list[str] = []
    for scene, seed, text in zip(scenes, seeds, said, strict=True):
        if not 2 <= len(scene.characters) <= labels.SLOTS:
            continue
        for how, swap in SWAPS.items():
            other = swap(scene)
            untrue = "" if other is None else caption(other, rng_at(seed))
            if untrue and told_apart(scene, text, untrue, how):
                wrong.append(untrue)
    return wrong


def tokenized(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """int64 [captions, longest]: behind its end token nothing of a caption is read."""
    found = tokenizer(
        captions, padding="longest", truncation=True, max_length=LENGTH, return_tensors="pt"
    )
    return torch.as_tensor(found["input_ids"])


def normalised(images: Array) -> Tensor:
    """uint8 [b, h, w, 3] as the vision tower wants it: float32 [b, 3, h, w]."""
    stack = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(OPENAI_CLIP_MEAN), torch.tensor(OPENAI_CLIP_STD)
    return (stack - mean[:, None, None]) / std[:, None, None]
