"""Detectors that read (OWLv2, Grounding DINO), and SAM that cuts out what stands in their boxes.

The image processors are those that need no torchvision; only SAM 2 has none such.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from PIL.Image import Image as Picture
from torch import Tensor
from transformers import (
    AutoTokenizer,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    Owlv2Processor,
    SamImageProcessorPil,
    SamModel,
    SamProcessor,
)

from groupshot.errors import UserError
from groupshot.masks.loading import network, opened
from groupshot.masks.segmenter import Candidate
from groupshot.shapes import HardMask

MOST = 8
"""Boxes that are looked into, the surest ones."""

OVERLAP = 0.5
"""Two boxes with more in common than this (intersection over union) are of one thing."""

Boxes = Float[Tensor, "n 4"]
"""Left, top, right and bottom of n boxes, in pixels."""

Scores = Float[Tensor, " n"]
"""How sure a detector is of n boxes, from 0 to 1."""


@runtime_checkable
class Detector(Protocol):
    """A network that finds boxes around what a noun names."""

    def boxes(self, picture: Picture, noun: str) -> tuple[Boxes, Scores]:
        """All that it is sure enough of, in any order."""
        ...


@runtime_checkable
class Cutter(Protocol):
    """A network that cuts out what stands in a box."""

    def masks(self, picture: Picture, boxes: Boxes) -> list[HardMask]:
        """A mask for each box."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """A segmenter made of a detector and a cutter, as MuDI's (arXiv 2404.04243)."""

    name: str
    detector: Detector
    cutter: Cutter

    @torch.no_grad()
    def found(self, picture: Picture, noun: str) -> list[Candidate]:
        """What stands in the surest boxes, of boxes around one thing only the surest."""
        boxes, scores = self.detector.boxes(picture, noun)
        chosen = apart(boxes, scores)
        masks = self.cutter.masks(picture, boxes[chosen]) if chosen else []
        sure = scores[chosen].tolist()
        return [Candidate(mask=m, score=s) for m, s in zip(masks, sure, strict=True)]


class Owl:
    """OWLv2 (arXiv 2306.09683), asked as MuDI asks it."""

    threshold = 0.2
    margin = 0.05
    """How much wider and higher than found a box is made on each side."""

    def __init__(self, source: str, device: torch.device) -> None:
        """Load a folder or a model of the hub."""
        self.model = network(Owlv2ForObjectDetection, source, device)
        images, words = opened(Owlv2ImageProcessorPil, source), opened(AutoTokenizer, source)
        self.processor: Any = Owlv2Processor(images, words)

    def boxes(self, picture: Picture, noun: str) -> tuple[Boxes, Scores]:
        """Boxes around what looks like a photo of the noun."""
        asked = self.processor(text=[[f"a photo of a {noun}"]], images=picture, return_tensors="pt")
        (said,) = self.processor.post_process_grounded_object_detection(
            self.model(**asked.to(self.model.device)),
            threshold=self.threshold,
            target_sizes=[(picture.height, picture.width)],
        )
        return wider(said["boxes"].cpu(), self.margin, picture), said["scores"].cpu()


class Dino:
    """Grounding DINO (arXiv 2303.05499), with the thresholds of transformers."""

    threshold = 0.25

    def __init__(self, source: str, device: torch.device) -> None:
        """Load a folder or a model of the hub."""
        self.model = network(GroundingDinoForObjectDetection, source, device)
        images = opened(GroundingDinoImageProcessorPil, source)
        self.processor: Any = GroundingDinoProcessor(images, opened(AutoTokenizer, source))

    def boxes(self, picture: Picture, noun: str) -> tuple[Boxes, Scores]:
        """Boxes around what the noun names; it wants sentences, "a cat."."""
        asked = self.processor(images=picture, text=[[f"a {noun}"]], return_tensors="pt")
        (said,) = self.processor.post_process_grounded_object_detection(
            self.model(**asked.to(self.model.device)),
            asked["input_ids"],
            threshold=self.threshold,
            text_threshold=self.threshold,
            target_sizes=[(picture.height, picture.width)],
        )
        return wider(said["boxes"].cpu(), 0.0, picture), said["scores"].cpu()


class Sam:
    """Segment Anything (arXiv 2304.02643)."""

    def __init__(self, source: str, device: torch.device) -> None:
        """Load a folder or a model of the hub."""
        self.model = network(SamModel, source, device)
        self.processor: Any = SamProcessor(opened(SamImageProcessorPil, source))

    def masks(self, picture: Picture, boxes: Boxes) -> list[HardMask]:
        """A mask for each box."""
        asked = self.processor(picture, input_boxes=[boxes.tolist()], return_tensors="pt")
        sizes = asked["original_sizes"], asked["reshaped_input_sizes"]
        asked["input_boxes"] = asked["input_boxes"].float()
        said = self.model(**asked.to(self.model.device), multimask_output=False).pred_masks.cpu()
        large = (self.processor.post_process_masks([one[None]], *sizes)[0] for one in said[0])
        return [np.asarray(one[0, 0]) for one in large]


class Sam2:
    """SAM 2 (arXiv 2408.00714), where torchvision is installed."""

    def __init__(self, source: str, device: torch.device) -> None:
        """Load a folder or a model of the hub; a UserError without torchvision."""
        if find_spec("torchvision") is None:
            raise UserError("SAM 2 needs torchvision: `pip install torchvision`, or name SAM")
        from transformers import Sam2ImageProcessor, Sam2Model, Sam2Processor

        self.model = network(Sam2Model, source, device)
        self.processor: Any = Sam2Processor(opened(Sam2ImageProcessor, source))

    def masks(self, picture: Picture, boxes: Boxes) -> list[HardMask]:
        """A mask for each box."""
        asked = self.processor(picture, input_boxes=[boxes.tolist()], return_tensors="pt")
        sizes = asked.pop("original_sizes")
        said = self.model(**asked.to(self.model.device), multimask_output=False).pred_masks.cpu()
        large = (self.processor.post_process_masks([one[None]], sizes)[0] for one in said[0])
        return [np.asarray(one[0, 0]) for one in large]


def wider(boxes: Boxes, share: float, picture: Picture) -> Boxes:
    """Boxes with a margin of a share of their sides, inside the picture."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * share
    edges = torch.tensor([picture.width, picture.height] * 2)
    moved = torch.cat([boxes[:, :2] - margin, boxes[:, 2:] + margin], 1)
    return torch.minimum(moved.clamp(min=0), edges)


def apart(boxes: Boxes, scores: Scores) -> list[int]:
    """Which boxes are the surest of different things, the surest first (greedy suppression)."""
    chosen: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(overlap(boxes[i], boxes[j]) <= OVERLAP for j in chosen):
            chosen.append(i)
    return chosen[:MOST]


def overlap(one: Float[Tensor, "4"], other: Float[Tensor, "4"]) -> float:
    """Intersection over union of two boxes."""
    inner = torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])
    shared = inner.clamp(min=0).prod()
    whole = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared
    return float(shared / whole.clamp(min=1e-6))
