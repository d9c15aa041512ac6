"""The network in JAX, for training: the same arithmetic as the package's compiled run time.

Two frames of 40 log-mel bands make a step of 20 ms: linear and ReLU, a causal convolution over three steps, two
gated recurrent layers (Cho et al. 2014; one bias inside the reset gate). From the last layer, linear heads tell what
the mouth did ``delay`` steps before, for several delays, two frames (10 ms apart) at a time. Short delays are for
the parts of animation that must look ahead, the longest is for rendering files.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from mouthpiece.lipsync.articulation import ARTICULATORS, PHONES
from mouthpiece.lipsync.visemes import VISEMES

MEL, EMBED, HIDDEN = 40, 96, 128
DELAYS: Final = (0, 1, 2, 8)
"""Steps of 20 ms between what is told and the last sound heard. Live speech uses 0 to 2, files use 8."""
NAMED_DELAYS: Final = (2, 8)
"""Delays for which phones are told as well, for aligning known text."""
N_VISEMES, N_SHAPES, N_PHONES = len(VISEMES), len(ARTICULATORS), len(PHONES)
MOUTH: Final = N_VISEMES + 2 + N_SHAPES
"""Values a frame: visemes, closure, labiodental, articulators."""
OUTPUTS: Final = 2 * MOUTH * len(DELAYS) + 2 * N_PHONES * len(NAMED_DELAYS)

Params = dict[str, jax.Array]


def init(seed: int) -> Params:
    """Random parameters: uniform in +-1/sqrt(inputs), as is usual."""
    rng = np.random.default_rng(seed)
    sizes = {"input": (2 * MEL, EMBED), "conv": (3 * EMBED, HIDDEN), "output": (HIDDEN, OUTPUTS)}
    for layer in range(2):
        sizes |= {f"gru{layer}_input": (HIDDEN, 3 * HIDDEN), f"gru{layer}_hidden": (HIDDEN, 3 * HIDDEN)}
    params = {}
    for name, (n, m) in sizes.items():
        bound = 1 / np.sqrt(n)
        params[f"{name}_weight"] = jnp.array(rng.uniform(-bound, bound, (n, m)), jnp.float32)
        params[f"{name}_bias"] = jnp.zeros(m, jnp.float32)
    return params


def _linear(p: Params, name: str, x: jax.Array) -> jax.Array:
    return x @ p[f"{name}_weight"] + p[f"{name}_bias"]


def _recurrent(p: Params, name: str, x: jax.Array) -> jax.Array:
    """Run a layer over time; ``x`` is (time, batch, inputs)."""
    weight, bias = p[f"{name}_hidden_weight"], p[f"{name}_hidden_bias"]

    def step(h: jax.Array, given: jax.Array) -> tuple[jax.Array, jax.Array]:
        held = h @ weight + bias
        gates = jax.nn.sigmoid(given[:, : 2 * HIDDEN] + held[:, : 2 * HIDDEN])
        reset, update = gates[:, :HIDDEN], gates[:, HIDDEN:]
        new = jnp.tanh(given[:, 2 * HIDDEN :] + reset * held[:, 2 * HIDDEN :])
        h = new + update * (h - new)
        return h, h

    start = jnp.zeros((x.shape[1], HIDDEN), x.dtype)
    return jax.lax.scan(step, start, _linear(p, f"{name}_input", x), unroll=2)[1]


def trunk(p: Params, mel: jax.Array, drop: jax.Array | None = None) -> jax.Array:
    """Hidden states, (steps, batch, 128), of features (steps, batch, 80); ``drop`` is a key for dropout of a tenth."""

    def dropped(x: jax.Array, n: int) -> jax.Array:
        if drop is None:
            return x
        return x * jax.random.bernoulli(jax.random.fold_in(drop, n), 0.9, x.shape) / 0.9

    e = jax.nn.relu(_linear(p, "input", mel))
    e = jnp.pad(e, ((2, 0), (0, 0), (0, 0)))
    x = jax.nn.relu(_linear(p, "conv", jnp.concatenate([e[:-2], e[1:-1], e[2:]], -1)))
    x = _recurrent(p, "gru0", dropped(x, 0))
    return dropped(_recurrent(p, "gru1", x), 1)


def heads(p: Params, hidden: jax.Array) -> tuple[dict[int, jax.Array], dict[int, jax.Array]]:
    """Mouth outputs by delay, (..., 2, MOUTH), and phone logits by delay, (..., 2, N_PHONES)."""
    y = _linear(p, "output", hidden)
    mouth = y[..., : 2 * MOUTH * len(DELAYS)].reshape(*y.shape[:-1], len(DELAYS), 2, MOUTH)
    named = y[..., 2 * MOUTH * len(DELAYS) :].reshape(*y.shape[:-1], len(NAMED_DELAYS), 2, N_PHONES)
    return (
        {d: mouth[..., i, :, :] for i, d in enumerate(DELAYS)},
        {d: named[..., i, :, :] for i, d in enumerate(NAMED_DELAYS)},
    )
