"""DreamBooth learns a LoRA, or as in the paper the U-Net."""

import pytest

from groupshot.keep import Keep
from groupshot.methods import DreamBooth


@pytest.mark.parametrize("learns", ["lora", "unet"])
def test_what_learns_beside_the_rows_can_be_chosen(base, two_cats, tmp_path, learns):
    method = DreamBooth(learns=learns, priors=0, crops=1, lora_rate=0.5, weight_rate=0.25)
    with base.borrowed():
        stage = next(method.plan(base, two_cats, Keep(tmp_path / "kept", seed=0)))
        rates = {part.name: rate for part, rate in stage.train.items()}
    assert rates == {"tokens": method.token_rate, learns: {"lora": 0.5, "unet": 0.25}[learns]}
