"""While training: every clip heard anew in each batch, by changes to its log-mel energies that cost next to nothing.

Step 3 makes one telling of an utterance with everything that needs its waveform; training passes over it many times.
Here its bands are warped (another throat) and tilted (another microphone), one is lost, and what adds up in power is
added to them: a room's tail, other clips talking, noise. All arrays are (steps, batch, 2, 40) and a key.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp

from mouthpiece.lipsync.features import BANDS

_CROWD, _CROWDED = 4, 0.45
"""Voices behind a clip at most, and the share of clips that have any."""
_CROWD_BELS = (0.2, 2.2)
"""How far the crowd is below the speech: 2 to 22 dB."""
_NOISY, _NOISE_BELS = 0.35, (0.3, 3.5)
_ROOMS, _TAIL = 0.3, (0.6, 0.88)
"""Share of clips in a room, and what is left of a sound 10 ms later: 80 to 540 ms until it has fallen by 60 dB."""
_FLUCTUATION: Final = tuple(0.9 - 0.6 * i / (BANDS - 1) for i in range(BANDS))
"""Standard deviation of noise in a frame of a band, in nepers of power: low bands hold fewer bins than high ones."""


def vary(mel: jax.Array, key: jax.Array) -> jax.Array:
    """All of it, in the order in which the world does it: throat, room, surroundings, microphone."""
    keys = jax.random.split(key, 5)
    power = jnp.exp(3 * _throat(mel, keys[0]) - 4)
    power = _room(power, keys[1])
    power = _crowd(power, keys[2]) + _noise(power, keys[3])
    return _microphone((jnp.log(power) + 4) / 3, keys[4])


def _coin(key: jax.Array, p: float, batch: int) -> jax.Array:
    return jax.random.bernoulli(key, p, (batch, 1))


def _curve(key: jax.Array, batch: int, points: int, reach: float) -> jax.Array:
    """A random smooth curve over the bands, (batch, 40)."""
    bends = jax.random.uniform(key, (batch, points), minval=-reach, maxval=reach)
    return jax.vmap(lambda b: jnp.interp(jnp.arange(BANDS), jnp.linspace(0, BANDS - 1, points), b))(bends)


def _throat(mel: jax.Array, key: jax.Array) -> jax.Array:
    keys = jax.random.split(key, 3)
    batch = mel.shape[1]
    warped = _coin(keys[0], 0.6, batch)
    factor = jnp.where(warped, jax.random.uniform(keys[1], (batch, 1), minval=0.88, maxval=1.12), 1.0)
    shift = jax.random.uniform(keys[2], (batch, 1), minval=-1.5, maxval=1.5) * warped
    place = jnp.clip(jnp.arange(BANDS) * factor + shift, 0, BANDS - 1.001)
    low = place.astype(jnp.int32)
    part = (place - low)[..., None, None]
    rows = jnp.arange(batch)[:, None]
    moved = jnp.moveaxis(mel, (1, 3), (0, 1))  # batch, bands, steps, 2
    return jnp.moveaxis(moved[rows, low] * (1 - part) + moved[rows, low + 1] * part, (0, 1), (1, 3))


def _room(power: jax.Array, key: jax.Array) -> jax.Array:
    """A tail behind every sound, 2 to 16 dB below it at first."""
    keys = jax.random.split(key, 3)
    steps, batch = power.shape[:2]
    left = jax.random.uniform(keys[0], (batch, 1), minval=_TAIL[0], maxval=_TAIL[1])
    share = 10 ** -jax.random.uniform(keys[1], (batch, 1), minval=0.2, maxval=1.6) * _coin(keys[2], _ROOMS, batch)
    frames = jnp.moveaxis(power, 2, 1).reshape(2 * steps, batch, BANDS)

    def ring(tail: jax.Array, frame: jax.Array) -> tuple[jax.Array, jax.Array]:
        return (tail + frame * share) * left, tail

    tails = jax.lax.scan(ring, jnp.zeros((batch, BANDS)), frames, unroll=4)[1]
    return power + jnp.moveaxis(tails.reshape(steps, 2, batch, BANDS), 1, 2)


def _level(power: jax.Array) -> jax.Array:
    """Mean power of each clip, (batch,)."""
    return power.mean((0, 2, 3)) + 1e-7


def _crowd(power: jax.Array, key: jax.Array) -> jax.Array:
    """Other clips of the batch talk behind some of them; powers of bands add up."""
    keys = jax.random.split(key, 4)
    batch, level = power.shape[1], _level(power)
    even = power / level[:, None, None]
    shares = jax.random.uniform(keys[0], (_CROWD, batch), minval=0.3) * jax.random.bernoulli(
        keys[1], 0.7, (_CROWD, batch)
    )
    shares /= shares.sum(0) + 1e-3
    others = sum(jnp.roll(even, i + 1, axis=1) * shares[i][:, None, None] for i in range(_CROWD))
    below = 10 ** -jax.random.uniform(keys[2], (batch,), minval=_CROWD_BELS[0], maxval=_CROWD_BELS[1])
    gain = level * below * jax.random.bernoulli(keys[3], _CROWDED, (batch,))
    return power + others * gain[:, None, None]


def _noise(power: jax.Array, key: jax.Array) -> jax.Array:
    """Noise of any colour, 3 to 35 dB below the speech."""
    keys = jax.random.split(key, 4)
    batch = power.shape[1]
    colour = jnp.exp(_curve(keys[0], batch, 6, 3.0))
    colour /= colour.mean(1, keepdims=True)
    below = 10 ** -jax.random.uniform(keys[1], (batch,), minval=_NOISE_BELS[0], maxval=_NOISE_BELS[1])
    gain = _level(power) * below * jax.random.bernoulli(keys[2], _NOISY, (batch,))
    sizzle = jnp.exp(jax.random.normal(keys[3], power.shape) * jnp.array(_FLUCTUATION))
    return sizzle * (colour * gain[:, None])[:, None]


def _microphone(mel: jax.Array, key: jax.Array) -> jax.Array:
    """A tilt over all bands, and now and then some bands lost."""
    keys = jax.random.split(key, 5)
    batch = mel.shape[1]
    tilted = mel + (_curve(keys[0], batch, 5, 0.35) * _coin(keys[1], 0.5, batch))[:, None]
    start = jax.random.randint(keys[2], (batch, 1), 0, BANDS)
    width = jax.random.randint(keys[3], (batch, 1), 1, 7) * _coin(keys[4], 0.3, batch)
    gone = (jnp.arange(BANDS) >= start) & (jnp.arange(BANDS) < start + width)
    return jnp.where(gone[:, None], tilted.mean(3, keepdims=True), tilted)
