"""Trains a network to read: draws scenes beside it, and goes on from its last checkpoint."""

import copy
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from groupshot.toybox.muon import Muon
from groupshot.toybox.reader.examples import Album, drawing
from groupshot.toybox.reader.losses import lesson, loss_of
from groupshot.toybox.reader.network import Network
from groupshot.toybox.reader.spoiling import HARMS, Harm

HERE = Path(__file__).parent
OPTIMISERS = ("muon", "adamw")
"""Names of the optimisers' tensors in a checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a reader is trained."""

    name: str = "reader"
    """The weights' file name, without its ending."""
    seed: int = 0
    """Which scenes it learns from, and its first weights."""
    minutes: float = 20.0
    """Processor time in all, earlier calls counted in; the learning rate falls to zero over it."""
    folder: Path = Path("runs/reader")
    """Where drawn scenes and checkpoints are kept."""
    shards: int = 100
    """Shards of 250 scenes to draw."""
    batch: int = 24
    rate: float = 0.03
    """Muon's learning rate at the start."""
    threads: int = 1
    start: str = ""
    """A file of weights to begin with, instead of random ones."""
    vae: str = ""
    """The folder of a VAE whose round trip is one of the harms, as all that a base draws has."""


@dataclass(slots=True)
class Progress:
    """Everything that a checkpoint holds."""

    network: Network
    mean: Network
    """The exponential moving average: what ships."""
    optimisers: tuple[Optimizer, Optimizer]
    steps: int = 0
    seconds: float = 0.0


def begun(plan: Plan) -> Progress:
    """A fresh network with its optimiser."""
    torch.manual_seed(plan.seed)
    network = Network()
    if plan.start:
        halves = load_file(plan.start)
        network.load_state_dict({k: v.float() for k, v in halves.items()}, strict=False)
    mean = copy.deepcopy(network).requires_grad_(False).eval()
    return Progress(network=network, mean=mean, optimisers=optimisers(network, plan.rate))


def optimisers(network: nn.Module, rate: float) -> tuple[Optimizer, Optimizer]:
    """Muon for the convolutions, AdamW at a tenth of the rate for everything else."""
    weights = list(network.parameters())
    banks = [w for w in weights if w.ndim == 4 and min(len(w), w[0].numel()) >= 16]
    rest = [w for w in weights if not any(w is b for b in banks)]
    return Muon(banks, rate), AdamW(rest, lr=rate / 10, weight_decay=0.02)


def checkpoint_of(plan: Plan) -> Path:
    """The folder that holds a plan's last checkpoint."""
    return plan.folder / f"{plan.name}-{plan.seed}"


def saved(progress: Progress, plan: Plan) -> None:
    """Writes a checkpoint in the place of the one before it."""
    tensors = {f"network.{k}": v for k, v in progress.network.state_dict().items()}
    tensors |= {f"mean.{k}": v for k, v in progress.mean.state_dict().items()}
    for name, optimiser in zip(OPTIMISERS, progress.optimisers, strict=True):
        for i, state in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{i}.{k}": v for k, v in state.items()}
    last, fresh = checkpoint_of(plan), checkpoint_of(plan).with_suffix(".new")
    fresh.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, fresh / "state.safetensors")
    counts = {"steps": progress.steps, "seconds": progress.seconds}
    (fresh / "state.json").write_text(json.dumps(counts))
    if last.exists():
        shutil.rmtree(last)
    fresh.rename(last)


def resumed(plan: Plan) -> Progress:
    """The last checkpoint's progress, or a fresh one if there is none."""
    progress, last = begun(plan), checkpoint_of(plan)
    if not last.exists():
        return progress
    tensors = load_file(last / "state.safetensors")
    progress.network.load_state_dict(under(tensors, "network."))
    progress.mean.load_state_dict(under(tensors, "mean."))
    for name, optimiser in zip(OPTIMISERS, progress.optimisers, strict=True):
        states: dict[int, dict[str, Tensor]] = {}
        for key, tensor in under(tensors, f"{name}.").items():
            i, kind = key.split(".", 1)
            states.setdefault(int(i), {})[kind] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
    counts = json.loads((last / "state.json").read_text())
    progress.steps, progress.seconds = counts["steps"], counts["seconds"]
    return progress


def under(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `start`, without it."""
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def harms_of(plan: Plan) -> tuple[Harm, ...]:
    """What befalls the pictures that are learned from."""
    if not plan.vae:
        return HARMS
    from groupshot.toybox.training.roundtrip import reencoding

    through = reencoding(Path(plan.vae))
    return (*HARMS, lambda pictures, _: through(pictures))


def step(progress: Progress, plan: Plan, album: Album, harms: Sequence[Harm]) -> float:
    """One step of training; gives the loss."""
    generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + progress.steps)
    share = min(1.0, progress.seconds / (plan.minutes * 60))
    pace(progress, plan.rate * min(1.0, (progress.steps + 1) / 50) * (1.0 - share))
    rows = torch.randint(len(album), (plan.batch,), generator=generator)
    task = lesson(album.room.chosen(rows), 0.06, generator, harms)
    loss = loss_of(progress.network, task, share > 0.25 and progress.steps % 2 == 0, generator)
    progress.network.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(progress.network.parameters(), 10.0)
    for optimiser in progress.optimisers:
        optimiser.step()
    progress.steps += 1
    averaged(progress)
    return loss.item()


def pace(progress: Progress, rate: float) -> None:
    """Sets the learning rates: Muon's, and a tenth of it for AdamW."""
    for optimiser, factor in zip(progress.optimisers, (1.0, 0.1), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate * factor


def averaged(progress: Progress) -> None:
    """Moves the mean network towards the network."""
    keep = min(0.995, (progress.steps + 1) / (progress.steps + 10))
    now = progress.network.state_dict()
    for name, tensor in progress.mean.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(now[name], 1 - keep)


def shipped(progress: Progress, path: Path) -> None:
    """Writes the mean network's weights in half precision."""
    tensors = progress.mean.state_dict()
    halves = {k: v.half().contiguous() for k, v in tensors.items() if v.is_floating_point()}
    save_file(halves, path)
    path.chmod(0o644)  # safetensors makes files that others cannot read


def train(plan: Plan, out: Path = HERE) -> None:
    """Trains until the plan's time is used up and writes `out/NAME.safetensors`."""
    torch.set_num_threads(plan.threads)
    shards = plan.folder / f"scenes-{plan.seed}"
    artist = drawing(shards, plan.seed, plan.shards)
    album, progress, harms = Album(shards, plan.shards), resumed(plan), harms_of(plan)
    while len(album) < min(8, plan.shards) * 250:
        time.sleep(1)
        album.grow()
    bar = tqdm(total=int(plan.minutes * 60), initial=int(progress.seconds), unit="s")
    since, kept = time.process_time(), progress.seconds
    while progress.seconds < plan.minutes * 60:
        loss = step(progress, plan, album, harms)
        now = time.process_time()
        progress.seconds, since = progress.seconds + now - since, now
        if progress.steps % 20 == 0:
            album.grow()
            bar.n = int(progress.seconds)
            bar.set_postfix(steps=progress.steps, scenes=len(album), loss=f"{loss:.3f}")
        if progress.seconds - kept > 60:
            saved(progress, plan)
            kept, since = progress.seconds, time.process_time()
    saved(progress, plan)
    shipped(progress, out / f"{plan.name}.safetensors")
    record = {k: v for k, v in asdict(plan).items() if k != "folder"}
    card = {"training": {**record, "steps": progress.steps, "scenes": len(album)}}
    (out / f"{plan.name}.json").write_text(json.dumps(card, indent=2) + "\n")
    artist.terminate()
