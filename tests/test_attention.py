from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from test_base import assert_same, copied

from groupshot.attention import attended, blocks, positions, recorded
from groupshot.benchmarks.attention import costs, kept, prepared
from groupshot.errors import UserError
from groupshot.weights import lora, tokens

PROMPTS = ["a photo of <luna> and <rex>", "the dog with <rex>"]
PHRASES = ["<luna>", "<rex>", "dog"]
NOISY, TIMES = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)), [5, 700]


@pytest.fixture
def two(base):
    """The base with two concepts, of two vectors and of one."""
    with base.borrowed():
        g = torch.Generator().manual_seed(0)
        tokens(base, {"luna": "cat"}, 2, g)
        tokens(base, {"rex": "dog"}, 1, g)
        yield base


def predicted(base, noisy=NOISY):
    return base.predicted(noisy, torch.tensor(TIMES), base.text(PROMPTS))


@dataclass
class Seen:
    """What a slow recorder sees: the probabilities of every cross-attention layer, head by head."""

    layer: Attention
    probabilities: torch.Tensor


@contextmanager
def slowly(base):
    """Computes all probabilities again, from what each layer is given, by diffusers' own means."""
    seen: list[Seen] = []

    def see(layer, _, given):
        context = given["encoder_hidden_states"]
        q, k = layer.to_q(given["hidden_states"]), layer.to_k(context)
        scores = layer.get_attention_scores(layer.head_to_batch_dim(q), layer.head_to_batch_dim(k))
        seen.append(Seen(layer=layer, probabilities=scores.unflatten(0, (len(q), -1))))

    def listen(layer, args, given):
        see(layer, args, {"hidden_states": args[0], **given} if args else given)

    hooks = [
        module.register_forward_pre_hook(listen, with_kwargs=True)
        for name, module in base.unet.named_modules()
        if name.endswith("attn2")
    ]
    yield seen
    for hook in hooks:
        hook.remove()


def summed(seen, where, height=4, width=4):
    """The slow maps: the mean of layers and heads, the sum of a phrase's positions."""
    mean = torch.stack([each.probabilities for each in seen]).mean((0, 2))
    maps = [
        torch.stack([mean[b][:, at].sum(-1) for at in phrases]) for b, phrases in enumerate(where)
    ]
    return torch.stack(maps).unflatten(-1, (height, width))


def test_positions_are_all_tokens_of_a_phrase_each_time_it_occurs(two):
    where = positions(two, ["a <luna> and <rex> with <rex>", "dog"], ["<luna>", "<rex>", "dog"])
    assert where.shape == (2, 3, 77)
    found = [[row.nonzero().flatten().tolist() for row in prompt] for prompt in where]
    assert found == [[[2, 3], [5, 7], []], [[], [], [1]]]


def test_a_phrase_may_be_several_words_and_words_several_tokens(two):
    prompts = ["photo zoo of dog and zoo dog"]  # zoo is no word of the base: three letters
    found = positions(two, prompts, ["zoo", "zoo dog"])[0]
    assert found[0].nonzero().flatten().tolist() == [2, 3, 4, 8, 9, 10]
    assert found[1].nonzero().flatten().tolist() == [8, 9, 10, 11]


def test_neither_the_ends_nor_the_padding_belong_to_a_phrase(two):
    where = positions(two, ["cat"], ["cat", "dog"])
    assert where.nonzero().tolist() == [[0, 0, 1]]


def test_a_phrase_about_an_unknown_concept_is_refused(two):
    with pytest.raises(UserError, match="<milo> is not a concept here"):
        positions(two, ["a cat"], ["<milo>"])


def test_attention_by_hand():
    query = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])  # two places, two heads of one feature
    key = torch.tensor([[[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]])  # three words
    where = torch.tensor([[[True, False, False], [False, True, True]]])
    e, e2 = torch.e, torch.e**2
    first = [(e / (e + 2) + 1 / 3) / 2, (1 / 3 + e2 / (e2 + 2)) / 2]
    shares = attended(query, key, where, heads=2, scale=1.0)
    torch.testing.assert_close(shares, torch.tensor([[first, [1 - p for p in first]]]))
    halved = attended(query, 2 * key, where, heads=2, scale=0.5)
    torch.testing.assert_close(halved, shares)


@pytest.mark.parametrize("processor", [None, AttnProcessor()])
def test_maps_are_the_probabilities_of_the_pass(two, processor):
    before = two.unet.attn_processors
    if processor is not None:
        two.unet.set_attn_processor(processor)
    with slowly(two) as seen, recorded(two, [4]) as record:
        predicted(two)
    two.unet.set_attn_processor(before)
    assert len(seen) == 4  # one in the way down, one in the middle, two in the way up
    where = [[[4, 5], [7], []], [[], [4], [2]]]
    maps = record.maps(positions(two, PROMPTS, PHRASES), 4)
    torch.testing.assert_close(maps, summed(seen, where))
    assert maps[0, 2].abs().max() == 0
    assert maps[1, 2].min() > 0


def test_all_words_together_get_all_of_the_attention(two):
    with recorded(two, [4]) as record:
        predicted(two)
    maps = record.maps(torch.eye(77, dtype=torch.bool).expand(2, -1, -1), 4)
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 4, 4))


def test_places_are_chosen(two):
    with slowly(two) as seen, recorded(two, [4], places=("down", "mid")) as record:
        predicted(two)
    where = [[[4, 5], [7], []], [[], [4], [2]]]
    maps = record.maps(positions(two, PROMPTS, PHRASES), 4)
    torch.testing.assert_close(maps, summed(seen[:2], where))


def test_the_pass_is_the_same_and_its_processors_stay(two):
    processors = two.unet.attn_processors
    plain = predicted(two)
    with recorded(two, [4]):
        torch.testing.assert_close(predicted(two), plain, rtol=0, atol=0)
        assert two.unet.attn_processors == processors


def test_gradients_are_those_of_the_probabilities(base):
    where = [[[4, 5], [7], []], [[], [4], [2]]]
    with base.borrowed():
        g = torch.Generator().manual_seed(0)
        parts = [
            tokens(base, {"luna": "cat"}, 2, g),
            tokens(base, {"rex": "dog"}, 1, g),
            lora(base, 2, ("attn2.to_q", "attn2.to_k"), g),
        ]
        learning = [t for part in parts for t in part.tensors.values()]
        with torch.no_grad():
            for tensor in learning:
                tensor.add_(0.1 * torch.randn(tensor.shape, generator=g))
        with slowly(base) as seen, recorded(base, [4]) as record:
            predicted(base)
        maps = record.maps(positions(base, PROMPTS, PHRASES), 4)
        ours = torch.autograd.grad(maps.square().sum(), learning, retain_graph=True)
        slow = torch.autograd.grad(summed(seen, where).square().sum(), learning)
    for one, other in zip(ours, slow, strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other)


def test_under_half_precision_maps_are_whole_and_learn(two):
    with recorded(two, [4]) as record:
        predicted(two)
        where = positions(two, PROMPTS, PHRASES)
        exact = record.maps(where, 4)
        with two.computing("bf16"):
            predicted(two)
    maps = record.maps(where, 4)
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, exact, atol=2e-3, rtol=0.05)
    rows = two.text_encoder.get_input_embeddings().rows
    (gradient,) = torch.autograd.grad(maps.sum(), list(rows))
    assert 0 < gradient.abs().max() < float("inf")


@pytest.mark.parametrize(("height", "width"), [(8, 12), (7, 9)])
def test_maps_have_the_shape_of_the_picture(two, height, width):
    noisy = torch.randn(2, 4, height, width)
    with slowly(two) as seen, recorded(two, [4]) as record:
        predicted(two, noisy)
    maps = record.maps(positions(two, PROMPTS, ["<rex>"]), 4)
    assert maps.shape == (2, 1, (height + 1) // 2, (width + 1) // 2)
    torch.testing.assert_close(maps, summed(seen, [[[7]], [[4]]], *maps.shape[-2:]))


def test_a_record_is_of_the_last_pass(two):
    where = positions(two, PROMPTS, PHRASES)
    with recorded(two, [4]) as record:
        predicted(two, NOISY + 1)
        predicted(two)
    with recorded(two, [4]) as once:
        predicted(two)
    torch.testing.assert_close(record.maps(where, 4), once.maps(where, 4), rtol=0, atol=0)


def test_nothing_is_kept_but_what_a_map_needs(two):
    where = positions(two, PROMPTS, PHRASES)

    def tapped():
        with recorded(two, [4]):
            return predicted(two).sum()

    def mapped():
        with recorded(two, [4]) as record:
            return predicted(two).sum() + record.maps(where, 4).sum()

    plain = kept(lambda: predicted(two).sum())
    assert kept(tapped) == plain
    one_head_of_one_layer = 2 * 16 * 77 * 4  # bytes of all its probabilities
    assert kept(mapped) - plain < one_head_of_one_layer / 2


def test_a_resolution_that_is_not_there_is_refused_and_the_others_named(base):
    with (
        pytest.raises(UserError, match=r"no cross-attention at 16, 64 in down, mid, up: .* 4\."),
        recorded(base, [64, 16, 4]),
    ):
        pass


def hooks(base):
    return [
        (name, *module._forward_hooks, *module._forward_pre_hooks)
        for name, module in base.unet.named_modules()
    ]


@pytest.mark.parametrize("ending", ["end", "exception"])
def test_the_base_is_left_as_it_was(base, ending):
    before, hooked = copied(base), hooks(base)
    noisy, times, text = torch.ones(1, 4, 8, 8), torch.tensor([3]), base.text(["a cat"])
    if ending == "end":
        with recorded(base, [4]):
            base.predicted(noisy, times, text)
            assert hooks(base) != hooked
    else:
        with pytest.raises(ZeroDivisionError), recorded(base, [4]):
            base.predicted(noisy, times, text)
            _ = 1 / 0
    assert hooks(base) == hooked
    assert_same(base, before)


def test_layers_are_found_where_the_pass_puts_them():
    many: dict[str, Any] = {
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "block_out_channels": (8, 8, 8),
    }
    unet = UNet2DConditionModel(
        sample_size=16,
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=2,
        **many,
    )
    sizes: dict[str, int] = {}
    for name, module in unet.named_modules():
        if isinstance(module, Attention):

            def note(_, args, output, name=name):
                sizes[name] = args[0].shape[1]

            module.to_q.register_forward_hook(note)
    with torch.no_grad():
        unet(torch.zeros(1, 4, 16, 16), 0, torch.zeros(1, 77, 16))
    by_module = {module: name for name, module in unet.named_modules()}
    found = list(blocks(unet))
    assert [(place, shrink) for place, _, shrink in found] == [
        *(("down", 1), ("down", 2), ("down", 4)),
        ("mid", 4),
        *(("up", 4), ("up", 2), ("up", 1)),
    ]
    for _, block, shrink in found:
        for module in block.modules():
            if isinstance(module, Attention):
                assert sizes.pop(by_module[module]) == (16 // shrink) ** 2
    assert not sizes


def test_the_benchmark_compares_what_is_the_same(base):
    before = copied(base)
    with base.borrowed():
        bench = prepared(base, 4)
        plain, ours, theirs = bench.plain(), bench.recorded(), bench.everything()
        torch.testing.assert_close(ours, theirs)
        assert ours > plain
        noted = [
            torch.autograd.grad(way(), bench.learning) for way in (bench.recorded, bench.everything)
        ]
        for one, other in zip(*noted, strict=True):
            torch.testing.assert_close(one, other)
    found = costs(base, 4, 1)
    assert [len(cost.seconds) for cost in found.values()] == [1, 1, 1]
    assert found["plain"].kept < found["recorded"].kept < found["everything"].kept
    assert_same(base, before)
