import torch

from groupshot.losses import denoising, prior

GUESS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
TARGET = torch.tensor([[[[1.0, 0.0], [3.0, 0.0]]]])


def test_denoising_is_the_mean_square():
    torch.testing.assert_close(denoising(GUESS, TARGET), torch.tensor((4.0 + 16.0) / 4))


def test_the_prior_is_weighted():
    torch.testing.assert_close(prior(GUESS, TARGET, 0.5), torch.tensor(2.5))


def test_half_precision_is_widened_first():
    assert denoising(GUESS.bfloat16(), TARGET.bfloat16()).dtype == torch.float32
