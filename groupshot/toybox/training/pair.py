"""The CLIP pair as one module, with the auxiliary heads that speed its training up."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from groupshot.toybox.training.labels import ABSENT, SLOTS, WHOLE, WORN
from groupshot.toybox.training.recipe import Recipe
from groupshot.toybox.training.tokens import LENGTH
from groupshot.toybox.world import SIZE

SHARPEST = math.log(100.0)
"""Upper limit of the logit scale, as in CLIP."""


class Naming(nn.Module):
    """Learned queries look at an encoder's states once and name the scene and who is in it.

    That is the way in which the U-Net will read the text's states, so they learn to answer it.
    """

    def __init__(self, width: int, heads: int) -> None:
        """One query for the scene, one for each place from left to right."""
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1 + SLOTS, width))
        self.norm = nn.LayerNorm(width)
        self.look = nn.MultiheadAttention(width, heads, batch_first=True)
        self.whole = nn.ModuleDict({k: nn.Linear(width, len(v)) for k, v in WHOLE.items()})
        self.worn = nn.ModuleDict({k: nn.Linear(width, len(v)) for k, v in WORN.items()})

    def forward(self, states: Tensor, labels: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy of naming `labels` ([b] for the scene, [b, SLOTS] for characters)."""
        states = self.norm(states)
        queries = self.queries.expand(len(states), -1, -1)
        seen = self.look(queries, states, states, need_weights=False)[0]
        terms = [named(head(seen[:, 0]), labels[k]) for k, head in self.whole.items()]
        terms += [named(head(seen[:, 1:]), labels[k]) for k, head in self.worn.items()]
        return torch.stack(terms).mean()


class Gist(nn.Module):
    """The same from one pooled vector: what a caption or a picture is about, and who is where."""

    def __init__(self, width: int) -> None:
        """Linear heads only, so that the vector itself must hold the answers."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.whole = nn.ModuleDict({k: nn.Linear(width, len(v)) for k, v in WHOLE.items()})
        self.worn = nn.ModuleDict({k: nn.Linear(width, SLOTS * len(v)) for k, v in WORN.items()})

    def forward(self, pooled: Tensor, labels: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy of naming `labels` ([b] for the scene, [b, SLOTS] for characters)."""
        x = self.norm(pooled)
        terms = [named(head(x), labels[k]) for k, head in self.whole.items()]
        slots = {k: head(x).unflatten(1, (SLOTS, -1)) for k, head in self.worn.items()}
        terms += [named(logits, labels[k]) for k, logits in slots.items()]
        return torch.stack(terms).mean()


class Painting(nn.Module):
    """The same patch by patch: the attributes of whoever is there, from a vision tower's states.

    Sixty answers a picture instead of one teach a tower far sooner what a character looks like
    (token labelling, arXiv 2104.10858).
    """

    def __init__(self, width: int) -> None:
        """One linear head an attribute."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.worn = nn.ModuleDict({k: nn.Linear(width, len(v)) for k, v in WORN.items()})

    def forward(self, states: Tensor, labels: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy of naming `labels`, [b, rows, columns] each, patch by patch."""
        patches = self.norm(states[:, 1:])  # the first state is the whole picture's
        terms = [named(head(patches), labels[k]) for k, head in self.worn.items()]
        return torch.stack(terms).mean()


def named(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the labels that apply; 0 if none does."""
    total = F.cross_entropy(
        logits.float().flatten(0, -2), labels.flatten(), ignore_index=ABSENT, reduction="sum"
    )
    return total / (labels != ABSENT).sum().clamp(min=1)


class Pair(nn.Module):
    """Text encoder, vision tower, what projects both, and the heads that never ship."""

    def __init__(
        self, text: CLIPTextModel, vision: CLIPVisionModelWithProjection, heads: int
    ) -> None:
        """The projection has the vision tower's output size."""
        super().__init__()
        width, out = text.config.hidden_size, vision.config.projection_dim
        self.text, self.vision = text, vision
        self.projection = nn.Linear(width, out, bias=False)
        nn.init.normal_(self.projection.weight, std=width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.named_text = Naming(width, heads)
        self.named_vision = Naming(vision.config.hidden_size, heads)
        self.gist_text, self.gist_vision = Gist(width), Gist(out)
        self.painted = Painting(vision.config.hidden_size)

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by."""
        return self.logit_scale.clamp(max=SHARPEST).exp()


def fresh_text(recipe: Recipe, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder that knows the tokenizer's own special tokens."""
    special: dict[str, Any] = {
        name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=4 * recipe.width,
        projection_dim=recipe.projection,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=LENGTH,
        **special,
    )
    return CLIPTextModel(config)


def fresh_vision(recipe: Recipe) -> CLIPVisionModelWithProjection:
    """An untrained vision tower."""
    config = CLIPVisionConfig(
        hidden_size=recipe.width,
        intermediate_size=4 * recipe.width,
        projection_dim=recipe.projection,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        image_size=SIZE,
        patch_size=recipe.patch,
    )
    return CLIPVisionModelWithProjection(config)


def contrast(images: Tensor, texts: Tensor, wrong: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE both ways over unit vectors; `wrong` are further captions, true of no picture."""
    truth = torch.arange(len(images), device=images.device)
    picks = scale * images @ torch.cat([texts, wrong]).T
    return (F.cross_entropy(picks, truth) + F.cross_entropy(picks[:, : len(texts)].T, truth)) / 2
