"""The configurations that costs are measured with: those that were published."""

import pytest
import torch

from groupshot.benchmarks.published import PUBLISHED, VOCABULARY, letters, networks
from groupshot.clip import FITTING, shape

WEIGHTS = {
    "sd15": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd21-base": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sd21": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
}
"""As many as the published files hold."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_they_have_as_many_weights_as_was_published_and_a_clip_for_each_encoder(name):
    with torch.device("meta"):
        made = networks(PUBLISHED[name])
    counts = {key: sum(w.numel() for w in net.parameters()) for key, net in made.items()}
    assert counts == WEIGHTS[name]
    encoders = [net for key, net in made.items() if key.startswith("text_encoder")]
    assert all(shape(net.config) in FITTING for net in encoders)


def test_letters_are_known_and_the_vocabulary_is_as_large_as_clips():
    tokenizer = letters()
    assert len(tokenizer) == VOCABULARY
    assert len(tokenizer("a cat", add_special_tokens=False).input_ids) == 4
