"""Diversity: how much the pictures of one prompt differ, against drawings of the same."""

from statistics import fmean

import torch
from torch import Tensor

from groupshot.scores import scenes
from groupshot.scores.asks import Drawn
from groupshot.scores.likeness import Judge
from groupshot.scores.scenes import People

DRAWINGS = 8
"""Of the world for each prompt."""


def diversity(drawn: Drawn, people: People, judge: Judge) -> float | None:
    """The mean over prompts of spread ÷ the world's spread, at most 1; None for single pictures."""
    shares: list[float] = []
    for ask, pictures in drawn.items():
        if len(pictures) > 1:
            truly = spread(judge.features(scenes.pictures(ask, people, DRAWINGS)))
            shares.append(min(1.0, spread(judge.features(pictures)) / truly))
    return fmean(shares) if shares else None


def spread(features: Tensor) -> float:
    """The mean distance of two pictures."""
    return torch.pdist(features).mean().item()
