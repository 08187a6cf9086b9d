import pytest
import torch
from test_base import assert_same, copied

from groupshot.errors import UserError
from groupshot.learned import Learned
from groupshot.recipes import Full
from groupshot.weights import (
    ATTENTION,
    TEXT_ATTENTION,
    attached,
    keys_values,
    lora,
    text_encoder,
    text_lora,
    text_matrices,
    tokens,
    unet,
)


def seeded():
    return torch.Generator().manual_seed(0)


def test_only_the_new_rows_of_the_table_learn(base):
    table = base.table.weight.clone()
    with base.borrowed():
        rows = tokens(base, {"luna": "cat", "rex": "cat"}, 2, seeded())
        before = {name: t.detach().clone() for name, t in rows.tensors.items()}
        optimiser = torch.optim.AdamW(rows.tensors.values(), lr=0.1, weight_decay=0.5)
        base.text(["a photo of <luna>"]).square().mean().backward()
        assert base.table.weight.grad is None
        optimiser.step()
        assert not torch.equal(rows.tensors["luna"], before["luna"])
        with torch.no_grad():
            plain = base.text(["a photo of a cat"])
    torch.testing.assert_close(base.table.weight, table, rtol=0, atol=0)
    torch.testing.assert_close(base.text(["a photo of a cat"]), plain, rtol=0, atol=0)


def test_a_concept_of_one_vector_reads_as_its_noun_at_first(base):
    plain = base.text(["a photo of cat and dog"])
    with base.borrowed():
        tokens(base, {"luna": "cat", "rex": "dog"}, 1, seeded())
        torch.testing.assert_close(base.text(["a photo of <luna> and <rex>"]), plain)


def test_vectors_stand_in_the_prompt_in_their_order(base):
    with base.borrowed():
        tokens(base, {"luna": "cat", "rex": None}, 3, seeded())
        first = base.table.num_embeddings
        assert base.ids(["a <rex>,<luna>"])[0, 1:9].tolist()[1:4] == [
            first + 3,
            first + 4,
            first + 5,
        ]
        assert base.words == {
            "luna": (first, first + 1, first + 2),
            "rex": (first + 3, first + 4, first + 5),
        }


def test_new_rows_are_as_large_as_old_ones(base):
    with base.borrowed():
        rows = tokens(base, {"luna": None}, 8, seeded()).tensors["luna"]
        assert 0.5 < rows.std().item() / base.spread.mean() < 2


def test_tokens_may_be_attached_twice(base):
    with base.borrowed():
        tokens(base, {"luna": "cat"}, 2, seeded())
        alone = base.text(["<luna>"]).detach()
        base_words = dict(base.words)
        more = tokens(base, {"rex": "dog"}, 1, seeded())
        assert base.words.keys() == {"luna", "rex"}
        assert base.words["luna"] == base_words["luna"]
        torch.testing.assert_close(base.text(["<luna>"]), alone)
        base.text(["<rex> and <luna>"]).sum().backward()
        assert more.tensors["rex"].grad is not None


def test_a_fresh_lora_changes_nothing_and_a_learned_one_does(base):
    noisy, times, text = torch.ones(1, 4, 8, 8), torch.tensor([5]), base.text(["a cat"])
    before = base.predicted(noisy, times, text)
    with base.borrowed():
        adapter = lora(base, 4, ATTENTION, seeded())
        torch.testing.assert_close(base.predicted(noisy, times, text), before)
        with torch.no_grad():
            for name, tensor in adapter.tensors.items():
                if "lora_B" in name:
                    tensor.add_(0.1)
        assert not torch.allclose(base.predicted(noisy, times, text), before)
    torch.testing.assert_close(base.predicted(noisy, times, text), before, rtol=0, atol=0)


def test_a_lora_names_its_tensors_as_diffusers_does(base):
    with base.borrowed():
        names = lora(base, 4, ("attn2.to_k",), seeded()).tensors.keys()
    assert len(names) == 2 * len(
        [n for n, _ in base.unet.named_modules() if n.endswith("attn2.to_k")]
    )
    assert all(n.endswith(("attn2.to_k.lora_A.weight", "attn2.to_k.lora_B.weight")) for n in names)


def test_the_same_generator_gives_the_same_lora(base):
    drawn = []
    for _ in range(2):
        with base.borrowed():
            drawn.append(lora(base, 4, ATTENTION, seeded()).tensors)
    for name, tensor in drawn[0].items():
        torch.testing.assert_close(tensor, drawn[1][name], rtol=0, atol=0)


def test_layers_that_are_not_there_are_refused(base):
    with base.borrowed(), pytest.raises(UserError, match="to_nowhere"):
        lora(base, 4, ("to_nowhere",), seeded())


def test_a_text_lora_changes_the_text_and_nothing_else(base):
    noisy, times, text = torch.ones(1, 4, 8, 8), torch.tensor([5]), base.text(["a cat"])
    before, drawn = copied(base), base.predicted(noisy, times, text)
    with base.borrowed():
        part = text_lora(base, 2, TEXT_ATTENTION, seeded())
        assert len(part.tensors) == 2 * len(TEXT_ATTENTION)
        torch.testing.assert_close(base.text(["a cat"]), text)
        moved(part)
        assert not torch.allclose(base.text(["a cat"]), text)
        torch.testing.assert_close(base.predicted(noisy, times, text), drawn, rtol=0, atol=0)
    assert_same(base, before)


def test_a_lora_leaves_to_others_what_they_are_learning(base):
    with base.borrowed():
        rows = tokens(base, {"luna": "cat"}, 1, seeded())
        part = unet(base)
        text_lora(base, 2, TEXT_ATTENTION, seeded())
        lora(base, 2, ATTENTION, seeded())
        assert rows.tensors["luna"].requires_grad
        assert all(tensor.requires_grad for tensor in part.tensors.values())


FULL = {
    "keys-values": keys_values,
    "unet": unet,
    "text-encoder": text_encoder,
    "text-matrices": text_matrices,
}


def moved(part):
    """The part after a step in some direction."""
    with torch.no_grad():
        for tensor in part.tensors.values():
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=seeded()))
    return part


def said(base):
    """What the base says about a prompt."""
    text = base.text(["a photo of a cat"])
    return base.predicted(torch.ones(1, 4, 8, 8), torch.tensor([5]), text)


@pytest.mark.parametrize("make", FULL.values(), ids=FULL)
@pytest.mark.parametrize("ending", ["end", "exception"])
def test_full_weights_learn_and_the_originals_come_back(base, make, ending):
    before, plain = copied(base), said(base).detach()
    owners = {id(w) for net in base.models.values() for w in net.parameters()}

    def learned():
        with base.borrowed():
            part = make(base)
            torch.testing.assert_close(said(base), plain, rtol=0, atol=0)
            said(base).square().sum().backward()
            assert all(t.grad is not None and t.grad.any() for t in part.tensors.values())
            moved(part)
            assert not torch.allclose(said(base), plain)
            if ending == "exception":
                _ = 1 / 0

    if ending == "exception":
        with pytest.raises(ZeroDivisionError):
            learned()
    else:
        learned()
    assert_same(base, before)
    torch.testing.assert_close(said(base), plain, rtol=0, atol=0)
    weights = [w for net in base.models.values() for w in net.parameters()]
    assert {id(w) for w in weights} == owners
    assert not any(w.requires_grad or w.grad is not None for w in weights)


def test_keys_and_values_are_those_of_the_words(base):
    with base.borrowed():
        names = keys_values(base).tensors.keys()
    theirs = [
        name
        for name, _ in base.unet.named_parameters()
        if name.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
    ]
    assert sorted(names) == sorted(theirs)
    assert len(theirs) == 8


def test_a_whole_net_is_all_its_weights_but_the_embedding_table(base):
    with base.borrowed():
        part = unet(base)
        assert part.tensors.keys() == dict(base.unet.named_parameters()).keys()
        theirs = dict(base.text_encoder.named_parameters())
        (table,) = (name for name, weight in theirs.items() if weight is base.table.weight)
        assert text_encoder(base).tensors.keys() == theirs.keys() - {table}


def test_the_table_stays_while_the_whole_text_encoder_learns(base):
    table = base.table.weight.clone()
    with base.borrowed():
        rows, whole = tokens(base, {"luna": "cat"}, 1, seeded()), text_encoder(base)
        learning = [*rows.tensors.values(), *whole.tensors.values()]
        optimiser = torch.optim.AdamW(learning, lr=0.1, weight_decay=0.5)
        base.text(["a photo of <luna>"]).square().mean().backward()
        optimiser.step()
        torch.testing.assert_close(base.table.weight, table, rtol=0, atol=0)
        assert base.table.weight.grad is None
    torch.testing.assert_close(base.table.weight, table, rtol=0, atol=0)


PARTS = {
    "tokens": lambda base: tokens(base, {"luna": "cat"}, 2, seeded()),
    "text-lora": lambda base: text_lora(base, 2, TEXT_ATTENTION, seeded()),
    "text-encoder": text_encoder,
    "keys-values": keys_values,
    "lora": lambda base: lora(base, 2, ATTENTION, seeded()),
}


def test_parts_stand_together_in_any_order(base):
    before = copied(base)
    names: dict[str, set[str]] = {}
    for order in (list(PARTS), list(PARTS)[::-1], sorted(PARTS)):
        with base.borrowed():
            for name in order:
                part = PARTS[name](base)
                assert names.setdefault(name, set(part.tensors)) == set(part.tensors)
    assert_same(base, before)


def drawn(base):
    latents = base.sampled(["a photo of <luna>"], [seeded()])
    return base.pictures(latents)[0].tobytes()


@pytest.mark.parametrize(
    "names", [["tokens", "keys-values"], ["lora", "tokens", "text-lora"], list(PARTS)[::-1]]
)
def test_saved_and_loaded_it_draws_the_same_picture(base, tmp_path, names):
    with base.borrowed():
        tokens(base, {"luna": "cat"}, 2, seeded())
        plain = drawn(base)
    with base.borrowed():
        parts = [moved(PARTS[name](base)) for name in names]
        assert [part.name for part in parts] == names
        picture = drawn(base)
        Learned.of(parts).save(tmp_path / "learned.safetensors")
    with Learned.load(tmp_path / "learned.safetensors").applied_to(base):
        assert drawn(base) == picture
    assert picture != plain


def test_full_layers_that_are_not_there_are_refused(base):
    with base.borrowed(), pytest.raises(UserError, match="U-Net has no layers attn9"):
        attached(base, "x", Full(net="unet", modules=("attn9",)))
    with base.borrowed(), pytest.raises(UserError, match="text encoder has no layers to_q"):
        text_lora(base, 2, ("to_q",), seeded())
    with base.borrowed(), pytest.raises(UserError, match="text encoder has no layers token_emb"):
        attached(base, "x", Full(net="text_encoder", modules=("token_embedding",)))
