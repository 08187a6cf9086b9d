"""What a run has learned, as files for other tools."""

from collections.abc import Callable, Mapping
from pathlib import Path

from groupshot.export.card import save_card, usage
from groupshot.export.files import for_diffusers, for_kohya
from groupshot.export.whole import for_pipeline
from groupshot.runfolder import Trained

FORMATS: Mapping[str, Callable[[Trained, Path], None]] = {
    "diffusers": for_diffusers,
    "kohya": for_kohya,
    "comfyui": for_kohya,
    "pipeline": for_pipeline,
}
"""What there is to write in each format; ComfyUI and A1111 read kohya's."""


def exported(trained: Trained, form: str, out: Path) -> str:
    """Fill the folder `out` with a run's files and a model card; how to use them, in Markdown.

    Raises a UserError where the format cannot hold what was learned.
    """
    FORMATS[form](trained, out)
    save_card(trained, form, out)
    return usage(trained, form, out)
