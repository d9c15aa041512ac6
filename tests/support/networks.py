"""ONNX files with random weights, written by a tiny encoder of the format's protobuf (onnx/onnx.proto3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_int(1, n) for n in values.shape)
    return dims + _int(2, 1) + _bytes(8, name) + _bytes(9, values.astype(np.float32).tobytes())


def _value(name: str, shape: Sequence[int]) -> bytes:
    dims = b"".join(_bytes(1, _int(1, n)) for n in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _int(1, 1) + _bytes(2, dims)))


class _Graph:
    """Nodes and weights, in the order in which they run."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[bytes] = []
        self.weights: list[bytes] = []
        self.rng = np.random.default_rng(seed)

    def node(self, op: str, inputs: Sequence[str], ints: dict[str, list[int]] | None = None, **numbers: int) -> str:
        out = f"t{len(self.nodes)}"
        attributes = [_bytes(1, k) + _int(3, v) + _int(20, 2) for k, v in numbers.items()]
        many = [_bytes(1, k) + b"".join(_int(8, n) for n in v) + _int(20, 7) for k, v in (ints or {}).items()]
        body = b"".join(_bytes(1, name) for name in inputs) + _bytes(2, out) + _bytes(4, op)
        self.nodes.append(body + b"".join(_bytes(5, a) for a in (*attributes, *many)))
        return out

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        scale = (2 / max(1, int(np.prod(shape[1:])))) ** 0.5
        self.weights.append(_tensor(name, self.rng.normal(0, scale, shape)))
        return name

    def conv(self, x: str, channels: tuple[int, int], size: int = 3, stride: int = 1) -> str:
        shape = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [size // 2] * 4}
        return self.node("Relu", [self.node("Conv", [x, self.weight(channels[1], channels[0], size, size)], shape)])

    def up(self, x: str, channels: tuple[int, int]) -> str:
        shape = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1] * 4}
        return self.node("Relu", [self.node("ConvTranspose", [x, self.weight(channels[0], channels[1], 4, 4)], shape)])


def wav2lip_file(width: int = 4, extra: int = 0, side: int = 96, frames: str = "video_frames") -> bytes:
    """A network with the inputs and the output of Wav2Lip: encoder, sound added at the bottom, decoder with skips.

    ``width`` 16 and ``extra`` 2 give about the size of the published one; the default is for tests.
    """
    graph, levels = _Graph(7), 5
    channels = [width * 2**k for k in range(levels + 1)]
    x = graph.conv(frames, (6, channels[0]), 7)
    skips = [x]
    for a, b in pairwise(channels):
        x = graph.conv(x, (a, b), 3, 2)
        for _ in range(extra):
            x = graph.conv(x, (b, b))
        skips.append(x)
    sound = "mel_spectrogram"
    for a, b in pairwise((1, *channels[1:])):
        sound = graph.conv(sound, (a, b), 3, 2)
    x = graph.node("Add", [x, graph.node("GlobalAveragePool", [sound])])
    for k in range(levels, 0, -1):
        x = graph.node("Concat", [graph.up(x, (channels[k], channels[k - 1])), skips[k - 1]], axis=1)
        x = graph.conv(x, (2 * channels[k - 1], channels[k - 1]))
        for _ in range(extra):
            x = graph.conv(x, (channels[k - 1], channels[k - 1]))
    drawn = graph.node("Conv", [x, graph.weight(3, channels[0], 1, 1)], {"kernel_shape": [1, 1]})
    out = graph.node("Sigmoid", [drawn])
    inputs = [_value("mel_spectrogram", (1, 1, 80, 16)), _value(frames, (1, 6, side, side))]
    body = b"".join(_bytes(1, node) for node in graph.nodes) + _bytes(2, "net")
    body += b"".join(_bytes(5, weight) for weight in graph.weights)
    body += b"".join(_bytes(11, value) for value in inputs) + _bytes(12, _value(out, (1, 3, side, side)))
    return _int(1, 8) + _bytes(7, body) + _bytes(8, _bytes(1, "") + _int(2, 13))
