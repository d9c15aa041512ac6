"""Step 4: training. AdamW at a constant rate, then a cosine down to nothing; seeds fixed; the CPU is enough."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from training.lipsync import network as net

BATCH, STEPS = 32, 150
RATE = 2.5e-3
WARM_UP = 100
CLASS_POWER = 0.25
"""Class weights are frequency to minus this; 0.4 favours rare visemes more at the cost of accuracy."""
SMOOTHING = 0.03
BOUNDARY = 0.6
"""Weight of frames next to a change of viseme, where the truth is a matter of taste."""
DELAY_WEIGHTS = {0: 0.3, 1: 0.5, 2: 1.0, 8: 0.5}
WEIGHTS = {"viseme": 1.0, "closed": 1.5, "events": 1.0, "labiodental": 0.7, "shape": 4.0, "phone": 0.5}
_CROWD, _CROWDED = 4, 0.35
"""Voices behind a clip at most, and the share of clips that have any."""
EVENT = 7
"""Frames over which a closure's peak counts (70 ms): closures are scored as events, not frame by frame."""


@dataclass(frozen=True)
class Data:
    """All clips end to end."""

    mel: np.ndarray
    phones: np.ndarray
    visemes: np.ndarray
    closed: np.ndarray
    shape: np.ndarray

    @classmethod
    def load(cls, paths: list[Path]) -> Data:
        """Read prepared files."""
        parts = [np.load(p) for p in paths]
        return cls(*(np.concatenate([p[k] for p in parts]) for k in ("mel", "phones", "visemes", "closed", "shape")))

    def batch(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Random stretches, time first: (STEPS, BATCH, 2, ...)."""
        first = rng.integers(0, len(self.mel) // 2 - STEPS, BATCH) * 2
        rows = first[None, :] + np.arange(2 * STEPS)[:, None]
        return {k: _steps(v[rows]) for k, v in vars(self).items()}


def _steps(x: np.ndarray) -> np.ndarray:
    x = x.reshape(STEPS, 2, BATCH, *x.shape[2:])
    return np.moveaxis(x, 1, 2)


def class_weights(visemes: np.ndarray, count: int, power: float) -> jax.Array:
    """Weights of the classes, 1 on the average frame."""
    seen = np.bincount(visemes, minlength=count) + 1.0
    weight = (seen.sum() / count / seen) ** power
    return jnp.array(weight / np.average(weight, weights=seen), jnp.float32)


def _vary(mel: jax.Array, key: jax.Array) -> jax.Array:
    """Another throat (warped bands), another microphone (tilt), a band gone: per clip, (steps, batch, 2, 40)."""
    keys = jax.random.split(key, 8)
    batch = mel.shape[1]

    def coin(k: jax.Array, p: float) -> jax.Array:
        return jax.random.bernoulli(k, p, (batch, 1))

    factor = jnp.where(coin(keys[0], 0.6), jax.random.uniform(keys[1], (batch, 1), minval=0.88, maxval=1.12), 1.0)
    shift = jax.random.uniform(keys[2], (batch, 1), minval=-1.5, maxval=1.5) * coin(keys[0], 0.6)
    place = jnp.clip(jnp.arange(net.MEL) * factor + shift, 0, net.MEL - 1.001)
    low = place.astype(jnp.int32)
    part = place - low
    rows = jnp.arange(batch)[:, None]
    moved = jnp.moveaxis(mel, (1, 3), (0, 1))  # batch, bands, steps, 2
    warped = moved[rows, low] * (1 - part)[..., None, None] + moved[rows, low + 1] * part[..., None, None]
    bends = jax.random.uniform(keys[3], (batch, 5), minval=-0.35, maxval=0.35) * coin(keys[4], 0.5)
    tilt = jax.vmap(lambda b: jnp.interp(jnp.arange(net.MEL), jnp.linspace(0, net.MEL - 1, 5), b))(bends)
    warped = warped + tilt[..., None, None]
    start = jax.random.randint(keys[5], (batch, 1), 0, net.MEL)
    width = jax.random.randint(keys[6], (batch, 1), 1, 7) * coin(keys[7], 0.3)
    gone = (jnp.arange(net.MEL) >= start) & (jnp.arange(net.MEL) < start + width)
    mean = warped.mean(1, keepdims=True)
    warped = jnp.where(gone[..., None, None], mean, warped)
    return jnp.moveaxis(warped, (0, 1), (1, 3))


def _crowd(mel: jax.Array, key: jax.Array) -> jax.Array:
    """Other clips of the batch talk behind a third of them, 4 to 22 dB below; powers of bands add up."""
    keys = jax.random.split(key, 4)
    batch = mel.shape[1]
    power = jnp.exp(3 * mel - 4)
    level = power.mean((0, 2, 3)) + 1e-7
    even = power / level[:, None, None]
    shares = jax.random.uniform(keys[0], (_CROWD, batch), minval=0.3) * jax.random.bernoulli(
        keys[1], 0.7, (_CROWD, batch)
    )
    shares /= shares.sum(0) + 1e-3
    others = sum(jnp.roll(even, i + 1, axis=1) * shares[i][:, None, None] for i in range(_CROWD))
    below = 10 ** (-jax.random.uniform(keys[2], (batch,), minval=0.4, maxval=2.2))
    gain = level * below * jax.random.bernoulli(keys[3], _CROWDED, (batch,))
    return (jnp.log(power + others * gain[:, None, None]) + 4) / 3


def _frames(x: jax.Array) -> jax.Array:
    """(steps, batch, 2, ...) to (frames, batch, ...)."""
    x = jnp.moveaxis(x, 2, 1)
    return x.reshape(-1, *x.shape[2:])


def _peaks(x: jax.Array) -> jax.Array:
    """The largest value in the ``EVENT`` frames around each frame of (frames, batch)."""
    pad = EVENT // 2
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (EVENT, 1), (1, 1), ((pad, pad), (0, 0)))


def _cross_entropy(logits: jax.Array, truth: jax.Array, weight: jax.Array) -> jax.Array:
    n = logits.shape[-1]
    target = jax.nn.one_hot(truth, n) * (1 - SMOOTHING) + SMOOTHING / n
    return -(target * jax.nn.log_softmax(logits)).sum(-1) * weight


def _mouth_loss(y: jax.Array, truth: dict[str, jax.Array], class_weight: jax.Array) -> dict[str, jax.Array]:
    """Losses of one delay; all of (frames, batch, ...)."""
    v = truth["visemes"]
    change = jnp.pad(v[1:] != v[:-1], ((1, 0), (0, 0)))
    weight = jnp.where(change, BOUNDARY, 1.0) * class_weight[v]
    closed, fricative = y[..., net.N_VISEMES], y[..., net.N_VISEMES + 1]
    is_closed = truth["closed"].astype(jnp.float32)
    is_fricative = (v == 2).astype(jnp.float32)
    near = _peaks(is_closed)
    event = optax.sigmoid_binary_cross_entropy(_peaks(closed), near)
    return {
        "viseme": _cross_entropy(y[..., : net.N_VISEMES], v, weight).mean(),
        "closed": (optax.sigmoid_binary_cross_entropy(closed, is_closed) * (1 + is_closed)).mean(),
        "events": event.mean(),
        "labiodental": optax.sigmoid_binary_cross_entropy(fricative, is_fricative).mean(),
        "shape": optax.huber_loss(y[..., net.N_VISEMES + 2 :], truth["shape"], delta=0.3).mean(),
    }


def loss(p: net.Params, batch: dict[str, jax.Array], key: jax.Array, class_weight: jax.Array) -> tuple:
    """The weighted sum of all losses, and the plain ones of the live delay with its accuracy."""
    mel = _crowd(batch["mel"].astype(jnp.float32), jax.random.fold_in(key, 2))
    mel = _vary(mel, jax.random.fold_in(key, 1))
    hidden = net.trunk(p, mel.reshape(STEPS, BATCH, -1), key)
    mouth, named = net.heads(p, hidden)
    total, live = jnp.zeros(()), {}
    for delay, y in mouth.items():
        truth = {k: _frames(v[: STEPS - delay]) for k, v in batch.items()}
        parts = _mouth_loss(_frames(y[delay:]), truth, class_weight)
        if delay in named:
            logits = _frames(named[delay][delay:])
            parts["phone"] = _cross_entropy(logits, truth["phones"], jnp.ones(())).mean()
        total += DELAY_WEIGHTS[delay] * sum(WEIGHTS[k] * x for k, x in parts.items())
        if delay == 2:
            told = _frames(y[delay:])[..., : net.N_VISEMES].argmax(-1)
            spoken = truth["visemes"] > 0
            live = parts | {"accuracy": ((told == truth["visemes"]) & spoken).sum() / spoken.sum()}
    return total, live


@dataclass(frozen=True)
class Plan:
    """Iterations (of 32 clips of 3 s each) at the full rate, and while it falls to nothing."""

    hold: int
    decay: int
    seed: int

    peak: float = RATE

    def rate(self) -> optax.Schedule:
        """The learning rate at each iteration."""
        pieces = [
            optax.linear_schedule(0, self.peak, WARM_UP),
            optax.constant_schedule(self.peak),
            optax.cosine_decay_schedule(self.peak, max(1, self.decay)),
        ]
        return optax.join_schedules(pieces, [WARM_UP, max(WARM_UP, self.hold)])


def train(data: Data, plan: Plan, params: net.Params, keep: Callable[[net.Params], None]) -> net.Params:
    """Train on from ``params``; ``keep`` is given the parameters now and then."""
    iterations, seed = plan.hold + plan.decay, plan.seed
    rng = np.random.default_rng(seed)
    weight = class_weights(data.visemes, net.N_VISEMES, CLASS_POWER)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(plan.rate(), weight_decay=0.01))
    state = optimiser.init(params)

    @jax.jit
    def update(params: net.Params, state: optax.OptState, batch: dict[str, jax.Array], key: jax.Array) -> tuple:
        (_, live), grads = jax.value_and_grad(loss, has_aux=True)(params, batch, key, weight)
        change, state = optimiser.update(grads, state, params)
        return optax.apply_updates(params, change), state, live

    keys = jax.random.PRNGKey(seed)
    mean: dict[str, float] = {}
    began = time.process_time()
    for i in range(iterations):
        params, state, live = update(params, state, data.batch(rng), jax.random.fold_in(keys, i))
        for k, v in live.items():
            mean[k] = float(v) if k not in mean else 0.98 * mean[k] + 0.02 * float(v)
        if (i + 1) % 100 == 0:
            told = " ".join(f"{k} {v:.3f}" for k, v in mean.items())
            print(f"{i + 1}/{iterations} cpu {time.process_time() - began:.0f} s {told}", flush=True)
        if (i + 1) % 500 == 0:
            keep(params)
    return params


def main() -> None:
    """Train on prepared files and write the parameters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hold", type=int, default=7100)
    parser.add_argument("--decay", type=int, default=1400)
    parser.add_argument("--start", type=Path, help="parameters to train on from")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate")
    a = parser.parse_args()

    def keep(params: net.Params) -> None:
        np.savez(a.out, **{k: np.asarray(v) for k, v in params.items()})

    start = {k: jnp.array(v) for k, v in np.load(a.start).items()} if a.start else net.init(a.seed)
    keep(train(Data.load(a.data), Plan(a.hold, a.decay, a.seed, a.rate), start, keep))


if __name__ == "__main__":
    main()
