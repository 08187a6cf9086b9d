"""CLIPSeg: a small network that paints how much each place is what a text says."""

from typing import Any

import torch
from PIL.Image import Image as Picture
from skimage.measure import label
from torch.nn import functional as F
from transformers import (
    AutoTokenizer,
    CLIPSegForImageSegmentation,
    CLIPSegProcessor,
    ViTImageProcessorPil,
)

from groupshot.masks.loading import network, opened
from groupshot.masks.segmenter import Candidate

HEAT = 0.4
"""How sure it must be of a place."""

SPECK = 0.005
"""What has less of the picture than this is nobody."""


class ClipSeg:
    """CLIPSeg (arXiv 2112.10003): each connected patch is a thing, so what touches is one."""

    name = "clipseg"

    def __init__(self, source: str, device: torch.device) -> None:
        """Load a folder or a model of the hub."""
        self.model = network(CLIPSegForImageSegmentation, source, device)
        words = opened(AutoTokenizer, source)
        self.processor: Any = CLIPSegProcessor(opened(ViTImageProcessorPil, source), words)

    @torch.no_grad()
    def found(self, picture: Picture, noun: str) -> list[Candidate]:
        """The patches that are the noun, each as sure as its places are on the mean."""
        asked = self.processor(
            text=[f"a photo of a {noun}"], images=picture, padding=True, return_tensors="pt"
        )
        logits = self.model(**asked.to(self.model.device)).logits
        heat = logits.sigmoid().reshape(1, 1, *logits.shape[-2:])
        size = picture.height, picture.width
        large = F.interpolate(heat, size, mode="bilinear")[0, 0].cpu().numpy()
        patches: Any = label(large >= HEAT)
        masks = (patches == i + 1 for i in range(patches.max()))
        return [
            Candidate(mask=mask, score=float(large[mask].mean()))
            for mask in masks
            if mask.mean() >= SPECK
        ]
