"""The papers: one file a method, one line here."""

from groupshot.methods.break_a_scene import BreakAScene
from groupshot.methods.clif import Clif
from groupshot.methods.concept_driven import ConceptDrivenEM
from groupshot.methods.custom_diffusion import CustomDiffusion
from groupshot.methods.dreambooth import DreamBooth
from groupshot.methods.far import FaR
from groupshot.methods.textual_inversion import TextualInversion
from groupshot.presets import fitted
from groupshot.stage import Method

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        BreakAScene,
        Clif,
        ConceptDrivenEM,
        CustomDiffusion,
        DreamBooth,
        FaR,
        TextualInversion,
    )
}
"""Every method by the name it has on the command line."""

__all__ = [
    "METHODS",
    "BreakAScene",
    "Clif",
    "ConceptDrivenEM",
    "CustomDiffusion",
    "DreamBooth",
    "FaR",
    "Method",
    "TextualInversion",
    "fitted",
]
