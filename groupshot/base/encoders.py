"""Encoders: how a base makes numbers of prompts, and of numbers what its denoiser reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupshot.errors import UserError
from groupshot.shapes import Ids, Text


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoder:
    """One text encoder of a pipeline, its tokenizer, and its table of embeddings as it came."""

    tokenizer: Any
    model: Any
    table: nn.Embedding

    @property
    def room(self) -> int:
        """How many tokens it reads, with the first and the last."""
        return min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)

    def numbers(self, phrase: str) -> list[int]:
        """The tokens of plain words."""
        return self.tokenizer(
            phrase, add_special_tokens=False, truncation=False, verbose=False
        ).input_ids

    def row(self, numbers: Sequence[int]) -> list[int]:
        """One prompt's numbers, begun, ended and padded."""
        ends = [self.tokenizer.bos_token_id, *numbers, self.tokenizer.eos_token_id]
        return ends + [self.tokenizer.pad_token_id] * (self.room - len(ends))

    def ids(self, prompts: Sequence[Sequence[int]]) -> Ids:
        """The rows of prompts, where the table is."""
        return torch.tensor([self.row(each) for each in prompts], device=self.table.weight.device)

    def check(self, prompt: str, numbers: Sequence[int]) -> None:
        """Refuse a prompt that does not fit."""
        if len(numbers) > self.room - 2:
            raise UserError(
                f'"{prompt}" has {len(numbers)} tokens, the base reads {self.room - 2}: shorten it.'
            )


def encoder(tokenizer: Any, model: Any) -> Encoder:
    """An encoder as a pipeline has it."""
    return Encoder(tokenizer=tokenizer, model=model, table=model.get_input_embeddings())


@runtime_checkable
class Reader(Protocol):
    """How prompts reach a denoiser: the encoders of a base, and what is made of their words."""

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """All that read; the first's tokenizer speaks for each."""
        ...

    @property
    def net(self) -> nn.Module:
        """All that may learn, as one network."""
        ...

    @property
    def silent(self) -> tuple[str, ...]:
        """What the names of those weights of `net` begin with that the denoiser never hears."""
        ...

    def text(self, prompts: Sequence[Sequence[int]]) -> Text:
        """What the denoiser is told of prompts, given as numbers."""
        ...

    def told(self, text: Text, side: int) -> dict[str, Any]:
        """The same as arguments of a U-Net that draws pictures of `side` pixels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class One:
    """Stable Diffusion 1.x and 2.x: the last states of one encoder."""

    only: Encoder
    silent: tuple[str, ...] = ()

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The one."""
        return (self.only,)

    @property
    def net(self) -> nn.Module:
        """The one."""
        return self.only.model

    def text(self, prompts: Sequence[Sequence[int]]) -> Text:
        """One position a token."""
        return self.only.model(self.only.ids(prompts))[0]

    def told(self, text: Text, side: int) -> dict[str, Any]:
        """The text."""
        return {"encoder_hidden_states": text}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Two:
    """Stable Diffusion XL: the last states but one of two encoders, and a summary by the second.

    The summary is one more position behind the tokens, so that a text stays one tensor.
    """

    first: Encoder
    second: Encoder

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """Both."""
        return self.first, self.second

    @property
    def net(self) -> nn.Module:
        """Both, by their names in a pipeline."""
        return nn.ModuleDict(
            {"text_encoder": self.first.model, "text_encoder_2": self.second.model}
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """The first's last layer, and what follows it."""
        last = self.first.model.config.num_hidden_layers - 1
        return f"text_encoder.encoder.layers.{last}.", "text_encoder.final_layer_norm."

    def text(self, prompts: Sequence[Sequence[int]]) -> Text:
        """One position a token, features of both encoders side by side; the summary behind."""
        ids = [each.ids(prompts) for each in self.encoders]
        said = [
            each.model(own, output_hidden_states=True)
            for each, own in zip(self.encoders, ids, strict=True)
        ]
        words = torch.cat([each.hidden_states[-2] for each in said], dim=-1)
        summary = self._summary(ids[1], said[1].last_hidden_state)
        summary = F.pad(summary, (0, words.shape[-1] - summary.shape[-1]))
        return torch.cat([words, summary.unsqueeze(1)], dim=1)

    def _summary(self, ids: Ids, states: Text) -> Tensor:
        """The projected state at the end of each text.

        The published configuration knows no end of text and takes the highest number for it, which
        is a new word's: transformers' own `text_embeds` would be wrong there.
        """
        end = (ids == self.second.tokenizer.eos_token_id).int().argmax(-1)
        return self.second.model.text_projection(states[torch.arange(len(ids)), end])

    def told(self, text: Text, side: int) -> dict[str, Any]:
        """The tokens; the summary; and that the picture is neither enlarged nor cropped."""
        width = self.second.model.config.projection_dim
        sizes = torch.tensor([[side, side, 0, 0, side, side]], device=text.device)
        return {
            "encoder_hidden_states": text[:, :-1],
            "added_cond_kwargs": {
                "text_embeds": text[:, -1, :width],
                "time_ids": sizes.to(text.dtype).expand(len(text), -1),
            },
        }


def reader(pipe: Any) -> Reader:
    """How a pipeline reads."""
    first = encoder(pipe.tokenizer, pipe.text_encoder)
    if "text_encoder_2" not in pipe.components:
        return One(only=first)
    return Two(first=first, second=encoder(pipe.tokenizer_2, pipe.text_encoder_2))
