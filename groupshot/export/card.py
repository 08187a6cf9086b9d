"""The model card, README.md: what was learned on what, how to use it, and pictures by it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from groupshot.base import Base, is_withheld
from groupshot.base.memory import HALVES
from groupshot.export.files import LORA, called, words
from groupshot.pictures import drawn, tell_withheld
from groupshot.runfolder import Trained
from groupshot.samples.captions import caption, listed

TOGETHER = 2
"""Pictures of everyone together, after one of each alone."""

ALONE = 4
"""The most pictures of someone alone."""


def usage(trained: Trained, form: str, out: Path) -> str:
    """How the files in `out` are used, in Markdown."""
    return template(form).render(facts(trained, out))


def template(name: str) -> Template:
    """Some Markdown with gaps."""
    places = PackageLoader("groupshot.export", "words")
    return Environment(loader=places, undefined=StrictUndefined).get_template(f"{name}.md.jinja")


def facts(trained: Trained, out: Path) -> dict[str, Any]:
    """What there is to tell."""
    base, run = trained.base, called(trained)
    return {
        "run": run,
        "names": list(words(trained)),
        "prompt": caption(base.card.templates[0], list(words(trained))),
        "base": named(base.source),
        "local": base.source == "toybox" or named(base.source) != base.source,
        "one_file": Path(base.source).is_file(),
        "pipeline": type(base.pipe).__name__,
        "two_encoders": len(base.encoders) > 1,
        "card": base.card,
        "half": HALVES.get(trained.record.get("weights", "fp32")),
        "flags": "".join(f" {flag}" for flag in flags(base)),
        "lora": any((out / file).is_file() for file in (LORA, f"{run}.safetensors")),
    }


def flags(base: Base) -> list[str]:
    """What sd-scripts wants to be told of a base that is no Stable Diffusion 1.x."""
    if len(base.encoders) > 1:
        return ["--sdxl"]
    second = base.unet.config.use_linear_projection
    velocity = base.schedule.config.prediction_type == "v_prediction"
    return ["--v2"] * second + ["--v_parameterization"] * velocity


def named(source: str) -> str:
    """A base without the place where it lies, which is nobody's business."""
    place = Path(source)
    return place.name if place.exists() or place.is_absolute() else source


def public(value: Any) -> Any:
    """A field's value without the places of folders in it: `sam=/home/me/sam` is `sam=sam`."""
    if isinstance(value, list):
        return [public(each) for each in cast(list[Any], value)]
    return re.sub(r"[^=,]+", lambda m: named(m[0]), value) if isinstance(value, str) else value


def save_card(trained: Trained, form: str, out: Path) -> None:
    """Draw pictures into `out`, and write README.md beside them."""
    examples = draw_examples(trained, out)
    text = template("README").render(
        **facts(trained, out),
        usage=usage(trained, form, out),
        examples=examples,
        front_matter=yaml.safe_dump(front_matter(trained, examples), sort_keys=False),
        listed=listed([f"`<{name}>`" for name in words(trained)]),
        method=trained.record["method"],
        fields={name: public(value) for name, value in trained.record["fields"].items()},
        seed=trained.record["seed"],
    )
    (out / "README.md").write_text(text + "\n", encoding="utf-8")


def draw_examples(trained: Trained, out: Path) -> list[dict[str, Any]]:
    """A picture of each alone and some of all together, as PNG files without any other data."""
    names, template = list(words(trained)), trained.base.card.templates[0]
    asks = [(caption(template, [name]), 1) for name in names[:ALONE] if len(names) > 1]
    asks.append((caption(template, names), TOGETHER))
    examples: list[dict[str, Any]] = []
    blank: list[str] = []
    (out / "examples").mkdir()
    with trained.applied() as base:
        for text, count in asks:
            for seed, picture in enumerate(drawn(base, text, n=count, seed=0)):
                file = f"examples/{len(examples)}.png"
                picture.save(out / file)
                examples.append({"text": text, "file": file, "seed": seed})
                if is_withheld(picture):
                    blank.append(file)
    tell_withheld(blank, "put others in their place, by `groupshot generate` with another --seed")
    return examples


def front_matter(trained: Trained, examples: list[dict[str, Any]]) -> Mapping[str, Any]:
    """What the Hugging Face hub reads of a card."""
    source = trained.base.source
    published = {"base_model": source} if "/" in source and not Path(source).exists() else {}
    return {
        **published,
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "tags": ["text-to-image", "lora", "textual-inversion", "groupshot"],
        "instance_prompt": caption("{}", list(words(trained))),
        "widget": [{"text": each["text"], "output": {"url": each["file"]}} for each in examples],
    }
