"""What a base's safety checker withholds: such a picture is blank, and says so itself."""

from typing import Any

from PIL.Image import Image as Picture

from groupshot.shapes import Image

WITHHELD = "withheld"
"""What stands in the `info` of a picture that the checker has made blank."""


def looked_over(pipe: Any, images: Image) -> list[Picture]:
    """Images as pictures to look at, past the pipeline's safety checker if it has one."""
    flags = [False] * len(images)
    if pipe.components.get("safety_checker") is not None:
        images, flags = pipe.run_safety_checker(images, images.device, images.dtype)
    pictures = pipe.image_processor.postprocess(images, output_type="pil")
    for picture, flag in zip(pictures, flags, strict=True):
        if flag:
            picture.info[WITHHELD] = True
    return pictures


def is_withheld(picture: Picture) -> bool:
    """Whether the base's safety checker has made a picture blank."""
    return WITHHELD in picture.info
