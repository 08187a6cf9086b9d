"""A Stable Diffusion in one file: a pipeline's weights under the names of its first code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def save_onefile(pipe: Any, file: Path) -> Path:
    """All weights of a pipeline whose U-Net has one layer a block."""
    parts: dict[str, tuple[Any, Any]] = {
        "model.diffusion_model.": (pipe.unet, unet_name),
        "first_stage_model.": (pipe.vae, vae_name),
    }
    named: dict[str, Tensor] = {}
    if "text_encoder_2" in pipe.components:
        parts["conditioner.embedders.0.transformer.text_model."] = (pipe.text_encoder, str)
        named |= open_clip("conditioner.embedders.1.model.", pipe.text_encoder_2)
    elif pipe.unet.config.use_linear_projection:
        named |= open_clip("cond_stage_model.model.", pipe.text_encoder)
    else:
        parts["cond_stage_model.transformer.text_model."] = (pipe.text_encoder, str)
    for prefix, (net, name) in parts.items():
        for key, tensor in net.state_dict().items():
            new = prefix + name(key)
            squeezed = ".attn_1." in new and tensor.ndim == 2  # there, attention is a convolution
            named[new] = (tensor[:, :, None, None] if squeezed else tensor).contiguous()
    save_file(named, file)
    return file


OPEN_CLIP = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.": "token_embedding.",
    "final_layer_norm.": "ln_final.",
    "encoder.layers.": "transformer.resblocks.",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "fc1": "c_fc",
    "fc2": "c_proj",
    "self_attn": "attn",
}
THIRDS = ("q_proj", "k_proj", "v_proj")
"""What stands in one tensor there."""


def open_clip(prefix: str, net: Any) -> dict[str, Tensor]:
    """A text encoder as OpenCLIP names it."""
    state = {key.removeprefix("text_model."): own for key, own in net.state_dict().items()}
    return {prefix + name: own.contiguous() for name, own in open_clip_names(state)}


def open_clip_names(state: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for key, own in state.items():
        name = key
        for new, old in OPEN_CLIP.items():
            name = name.replace(new, old)
        if key == "text_projection.weight":
            yield "text_projection", own.T
        elif "q_proj" in key:
            whole = torch.cat([state[key.replace("q_proj", third)] for third in THIRDS])
            yield name.replace("q_proj.", "in_proj_"), whole
        elif not any(third in key for third in THIRDS):
            yield name, own


def unet_name(key: str) -> str:
    for new, old in ENDS.items():
        if key.startswith(f"{new}."):
            return resnet_name(key.replace(new, old, 1))
    place = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|\w+samplers)\.(\d+)\.(.*)", key)
    assert place, key
    way, block, kind, layer, rest = place.groups()
    number = 2 * int(block) + int(layer)
    if kind == "downsamplers":
        return f"input_blocks.{number + 2}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":  # the last of its block; behind attention, where that has some
        return f"output_blocks.{number + 1}.{2 if block == '0' else 1}.{rest}"
    start, slot = ("input_blocks", number + 1) if way == "down" else ("output_blocks", number)
    return resnet_name(f"{start}.{slot}.{0 if kind == 'resnets' else 1}.{rest}")


def resnet_name(name: str) -> str:
    if "transformer_blocks" in name:
        return name
    for new, old in RESNET.items():
        name = re.sub(rf"(\d)\.{new}\.", rf"\1.{old}.", name)
    return name


def vae_name(key: str) -> str:
    key = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", key)
    key = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{1 - int(m[1])}.block", key)
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{1 - int(m[1])}.upsample", key)
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    for new, old in ATTENTION.items():
        key = key.replace(f"mid_block.attentions.0.{new}.", f"mid.attn_1.{old}.")
    return key
