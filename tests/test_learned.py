import pytest
import torch
from safetensors.torch import save_file

from groupshot.errors import UserError
from groupshot.learned import Learned
from groupshot.weights import ATTENTION, lora, tokens


@pytest.fixture
def learned(base):
    """Something learned at random."""
    g = torch.Generator().manual_seed(0)
    with base.borrowed():
        parts = [tokens(base, {"luna": "cat", "rex": "cat"}, 2, g), lora(base, 2, ATTENTION, g)]
        for part in parts:
            for tensor in part.tensors.values():
                tensor.data.copy_(torch.randn(tensor.shape, generator=g) * 0.1)
        return Learned.of(parts)


def said(base):
    """What base and learned say together."""
    text = base.text(["<luna> and <rex>"])
    return base.predicted(torch.ones(1, 4, 8, 8), torch.tensor([7]), text)


def test_saved_and_loaded_it_says_the_same(base, learned, tmp_path):
    learned.save(tmp_path / "learned.safetensors")
    loaded = Learned.load(tmp_path / "learned.safetensors")
    assert loaded.recipes == learned.recipes
    with learned.applied_to(base):
        before = said(base)
    with loaded.applied_to(base):
        torch.testing.assert_close(said(base), before, rtol=0, atol=0)
    with pytest.raises(UserError):
        said(base)


def test_it_is_a_copy(base):
    with base.borrowed():
        part = tokens(base, {"luna": "cat"}, 1, torch.Generator())
        learned = Learned.of([part])
        part.tensors["luna"].data.zero_()
        assert learned.tensors["tokens"]["luna"].abs().sum() > 0


def test_nothing_is_left_of_an_interrupted_write(learned, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("groupshot.files.os.replace", full)
    with pytest.raises(OSError, match="no space"):
        learned.save(tmp_path / "learned.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_a_missing_or_broken_file_is_one_sentence(tmp_path, content):
    file = tmp_path / "learned.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"learned\.safetensors"):
        Learned.load(file)


def test_another_program_s_file_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="not written by groupshot"):
        Learned.load(tmp_path / "x.safetensors")
