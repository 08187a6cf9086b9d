import pytest
import torch

from groupshot.errors import UserError
from groupshot.weights import ATTENTION, lora, tokens


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
        assert 0.5 < rows.std().item() / base.spread < 2


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
