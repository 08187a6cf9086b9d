import math

import pytest
import torch
import torch.nn.functional as F

from groupshot.losses import (
    alike,
    contested,
    contrastive,
    cosine,
    denoising,
    inner,
    leaking,
    localised,
    masked,
    masked_by_area,
    moved,
    outside,
    prior,
)

GUESS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
TARGET = torch.tensor([[[[1.0, 0.0], [3.0, 0.0]]]])
TOP = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
"""The upper half of a picture."""


def test_denoising_is_the_mean_square():
    torch.testing.assert_close(denoising(GUESS, TARGET), torch.tensor((4.0 + 16.0) / 4))


def test_the_prior_is_weighted():
    torch.testing.assert_close(prior(GUESS, TARGET, 0.5), torch.tensor(2.5))


def test_half_precision_is_widened_first():
    half = GUESS.bfloat16(), TARGET.bfloat16()
    assert denoising(*half).dtype == torch.float32
    assert masked(*half, TOP).dtype == torch.float32
    assert masked_by_area(*half, TOP).dtype == torch.float32


def test_a_map_has_moved_by_what_it_makes_of_states():
    generator = torch.Generator().manual_seed(0)
    weight, before = torch.randn(2, 5, 3, generator=generator)
    states = torch.randn(7, 3, generator=generator)
    new, old = states @ weight.T, states @ before.T
    found = moved(weight, before, states.T @ states / 7)
    torch.testing.assert_close(found, (new - old).square().sum() / old.square().sum())


def test_masked_is_a_mean_over_the_whole_picture():
    torch.testing.assert_close(masked(GUESS, TARGET, TOP), torch.tensor(4.0 / 4))


def test_masked_by_area_is_a_mean_over_the_region():
    torch.testing.assert_close(masked_by_area(GUESS, TARGET, TOP), torch.tensor(4.0 / 2))


def test_a_half_mask_counts_half_by_area_and_a_quarter_as_a_factor_of_both():
    half = TOP / 2
    torch.testing.assert_close(masked(GUESS, TARGET, half), torch.tensor(4.0 / 4 / 4))
    torch.testing.assert_close(masked_by_area(GUESS, TARGET, half), torch.tensor(4.0 / 2))


def test_by_area_every_picture_counts_alike():
    guess, target = GUESS.repeat(2, 1, 1, 1), TARGET.repeat(2, 1, 1, 1)
    corner = torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])
    both = torch.cat([corner, torch.ones_like(corner)])
    torch.testing.assert_close(masked_by_area(guess, target, both), torch.tensor((4.0 + 5.0) / 2))
    torch.testing.assert_close(masked(guess, target, both), torch.tensor((4.0 + 20.0) / 8))


def test_a_mask_of_everything_is_plain_denoising():
    guess, target = torch.randn(3, 4, 5, 6), torch.randn(3, 4, 5, 6)
    everything = torch.ones(3, 1, 5, 6)
    torch.testing.assert_close(masked(guess, target, everything), denoising(guess, target))
    torch.testing.assert_close(masked_by_area(guess, target, everything), denoising(guess, target))


def test_an_empty_region_teaches_nothing():
    guess = GUESS.clone().requires_grad_()
    for loss in (masked, masked_by_area):
        value = loss(guess, TARGET, torch.zeros(1, 1, 2, 2))
        (gradient,) = torch.autograd.grad(value, guess)
        assert value == 0
        assert not gradient.any()


@pytest.mark.parametrize("loss", [masked, masked_by_area])
def test_a_masked_loss_ignores_what_is_outside(loss):
    g = torch.Generator().manual_seed(0)
    guess, target = torch.randn(2, 2, 4, 4, 4, generator=g)
    region = torch.rand(2, 1, 4, 4, generator=g).round()
    guess.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(guess, target, region), guess)
    torch.testing.assert_close(gradient != 0, (region != 0).expand_as(gradient))
    elsewhere = target + 100 * (1 - region)
    torch.testing.assert_close(loss(guess, elsewhere, region), loss(guess, target, region))


def test_the_codes_that_divide_by_area_count_every_channel():
    """The formula of Custom Diffusion and Mix-of-Show, written out: 4 channels, 4 times ours."""
    g = torch.Generator().manual_seed(0)
    guess, target = torch.randn(2, 3, 4, 5, 5, generator=g)
    mask = torch.rand(3, 1, 5, 5, generator=g).round()
    error = F.mse_loss(guess, target, reduction="none")
    theirs = ((error * mask).sum([1, 2, 3]) / mask.sum([1, 2, 3])).mean()
    torch.testing.assert_close(4 * masked_by_area(guess, target, mask), theirs)


MAPS = torch.tensor([[[[0.4, 0.2], [0.1, 0.0]], [[0.0, 0.0], [0.3, 0.3]]]])
"""Two phrases in one picture: the first on the upper left, the second on the lower half."""

PLACES = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]])
"""Where their things are."""


def test_localised_compares_each_map_relative_to_its_peak():
    first = (0.0 + 0.5**2 + 0.25**2 + 0.0) / 4
    second = (0.0 + 0.0 + 1.0 + 0.0) / 4
    torch.testing.assert_close(localised(MAPS, PLACES), torch.tensor(first + second))


def test_outside_is_the_mean_of_what_looks_away():
    first = (0.25 + 0.0) / 2
    second = (0.0 + 0.0 + 1.0) / 3
    torch.testing.assert_close(outside(MAPS, PLACES), torch.tensor(first + second))


@pytest.mark.parametrize("loss", [localised, outside, leaking, contested])
def test_pictures_are_averaged_and_the_strength_of_a_map_does_not_count(loss):
    maps = torch.cat([MAPS, 0.01 * MAPS])
    masks = torch.cat([PLACES, PLACES])
    torch.testing.assert_close(loss(maps, masks), loss(MAPS, PLACES))


@pytest.mark.parametrize("loss", [localised, outside, leaking, contested])
def test_a_phrase_that_a_picture_lacks_adds_nothing(loss):
    nothing = torch.zeros(1, 1, 2, 2)
    maps = torch.cat([MAPS, nothing], dim=1).requires_grad_()
    value = loss(maps, torch.cat([PLACES, nothing], dim=1))
    torch.testing.assert_close(value, loss(MAPS, PLACES))
    (gradient,) = torch.autograd.grad(value, maps)
    assert gradient.isfinite().all()


def test_a_mask_of_everything_leaves_nothing_outside():
    assert outside(MAPS, torch.ones_like(MAPS)) == 0


@pytest.mark.parametrize("loss", [localised, outside, leaking, contested])
def test_the_losses_on_maps_know_their_gradients(loss):
    g = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 2, 3, 3, generator=g, dtype=torch.float64, requires_grad=True)
    masks = torch.rand(2, 2, 3, 3, generator=g, dtype=torch.float64).round()
    assert torch.autograd.gradcheck(lambda m: loss(m, masks), maps)


def test_leaking_is_the_share_of_attention_that_is_elsewhere():
    maps = torch.tensor([[[[3.0, 0.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 2.0]]]])
    masks = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.5], [0.0, 0.5]]]])
    torch.testing.assert_close(leaking(maps, masks), torch.tensor(1 / 4 + 1 / 2))


def test_contested_compares_phrases_only_where_one_of_their_things_is():
    maps = torch.tensor([[[[0.3, 0.2], [0.9, 0.1]], [[0.1, 0.2], [0.1, 0.3]]]])
    masks = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]])
    torch.testing.assert_close(contested(maps, masks), torch.tensor(-math.log(3 / 4)))
    assert contested(maps[:, :1], masks[:, :1]) == 0
    elsewhere = maps * torch.tensor([[1.0, 7.0], [7.0, 1.0]])
    torch.testing.assert_close(contested(elsewhere, masks), contested(maps, masks))


def test_outside_the_mask_alone_attention_is_pushed_down():
    maps = MAPS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(outside(maps, PLACES), maps)
    assert gradient[0, 0, 1, 0] > 0
    assert gradient[0, 0, 0, 1] == 0  # inside, and not the peak


IMAGES = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
TEXTS = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
OWN = torch.eye(2, dtype=torch.bool)


def surprise(right, *wrong):
    """Minus the logarithm of the probability that a softmax gives to what is right."""
    return -math.log(math.exp(right) / sum(map(math.exp, (right, *wrong))))


def test_contrast_by_hand():
    loss = contrastive(IMAGES, TEXTS, OWN, scale=2.0)
    torch.testing.assert_close(loss, torch.tensor(surprise(2.0, 0.0)))


def test_both_directions_count_alike():
    texts = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    rows = surprise(1.0, 0.8) + surprise(0.6, 0.0)  # pictures pick texts
    columns = surprise(1.0, 0.0) + surprise(0.6, 0.8)  # texts pick pictures
    loss = contrastive(IMAGES, texts, OWN, scale=1.0)
    torch.testing.assert_close(loss, torch.tensor((rows + columns) / 4))


def test_lengths_count_only_where_they_are_asked_to():
    loss = contrastive(IMAGES, TEXTS, OWN, scale=1.0, likeness=inner)
    lengths = (surprise(3.0, 0.0) + surprise(2.0, 0.0)) / 2
    torch.testing.assert_close(loss, torch.tensor(lengths))
    torch.testing.assert_close(inner(IMAGES, TEXTS), torch.diag(torch.tensor([3.0, 2.0])))
    torch.testing.assert_close(cosine(IMAGES, TEXTS), torch.eye(2))
    torch.testing.assert_close(
        contrastive(5 * IMAGES, TEXTS, OWN, scale=1.0), contrastive(IMAGES, TEXTS, OWN, scale=1.0)
    )


def test_without_repeated_captions_it_is_clip_s_loss():
    g = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 6, 8, generator=g)
    logits = 100 * F.normalize(images) @ F.normalize(texts).T
    own = torch.arange(6)
    theirs = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    pairs = alike([f"a photo of <{name}>" for name in "abcdef"])
    torch.testing.assert_close(contrastive(images, texts, pairs, torch.tensor(100.0)), theirs)


def test_repeated_captions_are_known():
    assert alike(["a", "b", "a"]).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]


def test_the_same_caption_is_no_negative():
    images = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    captions = ["a cat", "a cat", "a dog"]
    kind = contrastive(images, images, alike(captions), scale=50.0)
    cruel = contrastive(images, images, torch.eye(3, dtype=torch.bool), scale=50.0)
    torch.testing.assert_close(kind, cruel)  # one half each is the best of both
    texts = images.clone().requires_grad_()
    pushed = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    (gradient,) = torch.autograd.grad(contrastive(pushed, texts, alike(captions), scale=1.0), texts)
    (alone,) = torch.autograd.grad(
        contrastive(pushed, texts, torch.eye(3, dtype=torch.bool), scale=1.0), texts
    )
    assert gradient[0, 1] < alone[0, 1]  # the first text is drawn to the second picture too


def test_more_texts_than_pictures():
    texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    pairs = torch.tensor([[True, True, False], [False, False, True]])
    rows = (surprise(1.0, 1.0, 0.0) + surprise(1.0, 0.0, 0.0)) / 2
    columns = surprise(1.0, 0.0)
    loss = contrastive(IMAGES, texts, pairs, scale=1.0)
    torch.testing.assert_close(loss, torch.tensor((rows + columns) / 2))
