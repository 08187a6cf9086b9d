"""The stage that teaches the text encoder who is who in a caption, before it sees pictures.

Pictures cost ten times as much as words: what can be learned from captions alone (which colour
belongs to whom, who stands on the left) is learned here, by naming what they say.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from groupshot.toybox.training import labels, parts
from groupshot.toybox.training.contrast import SEED, tokenized
from groupshot.toybox.training.loop import mixed_precision, rng_at
from groupshot.toybox.training.pair import Gist, Naming
from groupshot.toybox.training.recipe import Pace, Recipe
from groupshot.toybox.world import Scene, caption, dream

COUNTS = (0.15, 0.5, 0.25, 0.1)
"""Share of captions about one to four characters."""


class Worded(nn.Module):
    """A text encoder, with heads on its states and on its pooled state."""

    def __init__(self, text: CLIPTextModel, heads: int) -> None:
        """The heads never ship."""
        super().__init__()
        self.text = text
        self.naming = Naming(text.config.hidden_size, heads)
        self.gist = Gist(text.config.hidden_size)


class Wording:
    """Names scenes and their characters from captions."""

    name = "text"

    def __init__(self, recipe: Recipe, model: Worded, out: Path) -> None:
        """`out` is the folder of finished parts."""
        self.model, self.out = model, out
        self.pace: Pace = recipe.text
        self.tokenizer = CLIPTokenizer.from_pretrained(out / parts.TOKENIZER)

    def losses(self, step: int, progress: float) -> dict[str, Tensor]:
        """Naming from all states, and from the pooled one; no caption is seen twice."""
        device = self.model.text.device
        scenes = [scene_at(step, i) for i in range(self.pace.batch)]
        said = [caption(s, rng_at(SEED, 3, step, i)) for i, s in enumerate(scenes)]
        told = {**labels.whole(scenes), **labels.worn(scenes)}
        named = {name: torch.from_numpy(values).to(device) for name, values in told.items()}
        with mixed_precision(device):
            read = self.model.text(tokenized(self.tokenizer, said).to(device))
            naming = self.model.naming(read.last_hidden_state, named)
            gist = self.model.gist(read.pooler_output, named)
        return {"naming": naming, "gist": gist}

    def publish(self, weights: dict[str, Tensor]) -> None:
        """Write the text encoder."""
        self.model.load_state_dict({**self.model.state_dict(), **weights})
        self.model.text.save_pretrained(self.out / parts.TEXT)


def scene_at(step: int, i: int) -> Scene:
    """The i-th scene of a step."""
    rng = rng_at(SEED, 2, step, i)
    count = int(rng.choice(len(COUNTS), p=COUNTS)) + 1
    return dream(rng, population="nameable", count=count)
