"""Models with random weights, opened and used by the real packages; prints what they gave as JSON.

Run as ``python own_speech.py FOLDER`` where faster-whisper, piper-tts, kokoro-onnx, onnx and mouthpiece are installed.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import tokenizers
from ctranslate2.specs import WhisperSpec
from onnx import TensorProto, helper, numpy_helper

from mouthpiece.providers.own import open_ears, open_voice
from mouthpiece.settings import AgentSettings

WIDTH = 16
RNG = np.random.default_rng(5)


def whisper(folder: Path) -> Path:
    """A Whisper of one layer that knows letters, and was never taught."""
    specials = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
    specials += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    specials += [f"<|{n * 0.02:.2f}|>" for n in range(1501)]
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = letters + specials

    def some(*shape: int) -> np.ndarray:
        return RNG.normal(0, 0.3, shape).astype(np.float32)

    spec = WhisperSpec(1, 2, 1, 2)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = some(WIDTH, 80, 3), some(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = some(WIDTH, WIDTH, 3), some(WIDTH)
    encoder.position_encodings.encodings = some(1500, WIDTH)
    decoder.embeddings.weight = decoder.projection.weight = some(len(vocabulary), WIDTH)
    decoder.position_encodings.encodings = some(448, WIDTH)
    norms = [encoder.layer_norm, decoder.layer_norm]
    for layer in (encoder.layer[0], decoder.layer[0]):
        parts = [(layer.self_attention, 3)] + ([(layer.attention, 1)] if layer is decoder.layer[0] else [])
        for part, times in parts:
            norms.append(part.layer_norm)
            linears = part.linear
            linears[0].weight, linears[0].bias = some(times * WIDTH, WIDTH), some(times * WIDTH)
            if times == 1:
                linears[1].weight, linears[1].bias = some(2 * WIDTH, WIDTH), some(2 * WIDTH)
            linears[-1].weight, linears[-1].bias = some(WIDTH, WIDTH), some(WIDTH)
        norms.append(layer.ffn.layer_norm)
        layer.ffn.linear_0.weight, layer.ffn.linear_0.bias = some(2 * WIDTH, WIDTH), some(2 * WIDTH)
        layer.ffn.linear_1.weight, layer.ffn.linear_1.bias = some(WIDTH, 2 * WIDTH), some(WIDTH)
    for norm in norms:
        norm.gamma, norm.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    spec.register_vocabulary(vocabulary)
    folder.mkdir()
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    model = tokenizers.models.BPE({letter: n for n, letter in enumerate(letters)}, [])
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(specials)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def voice(file: Path, tokens: str, others: dict[str, tuple[int, list[int]]], shape: list[int]) -> Path:
    """A network that makes 1,200 samples of every token: a hum of its own."""
    tone = numpy_helper.from_array(RNG.normal(0, 0.05, (1, 1, 1200)).astype(np.float32), "tone")
    nodes = [
        helper.make_node("Cast", [tokens], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["columns"]),
        helper.make_node("MatMul", ["columns", "tone"], ["waves"]),
        helper.make_node("Sin", ["waves"], ["hums"]),
        helper.make_node("Reshape", ["hums", "shape"], ["sound"]),
    ]
    constants = [
        tone,
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array(shape, np.int64), "shape"),
    ]
    inputs = [helper.make_tensor_value_info(tokens, TensorProto.INT64, [1, None])]
    inputs += [helper.make_tensor_value_info(name, kind, dims) for name, (kind, dims) in others.items()]
    output = helper.make_tensor_value_info("sound", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "voice", inputs, [output], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(file))
    return file


def piper(folder: Path) -> Path:
    """A voice file, and its description beside it."""
    others = {"input_lengths": (TensorProto.INT64, [1]), "scales": (TensorProto.FLOAT, [3])}
    file = voice(folder / "voice.onnx", "input", others, [1, 1, 1, -1])
    signs = ["_", "^", "$", " ", *"abdefhijklmnopstuvwzðŋɐɑɔəɛɜɡɪɹʃʊʌʒˈˌːθ,.;"]
    facts = {
        "num_symbols": len(signs),
        "num_speakers": 1,
        "audio": {"sample_rate": 22050},
        "espeak": {"voice": "en-us"},
        "phoneme_id_map": {sign: [n] for n, sign in enumerate(signs)},
    }
    file.with_name("voice.onnx.json").write_text(json.dumps(facts))
    return file


def kokoro(folder: Path) -> Path:
    """A model, and two voices beside it."""
    others = {"style": (TensorProto.FLOAT, [1, 256]), "speed": (TensorProto.FLOAT, [1])}
    file = voice(folder / "kokoro.onnx", "tokens", others, [-1])
    with (folder / "voices-v1.0.bin").open("wb") as out:
        np.savez(out, af_heart=RNG.normal(size=(510, 1, 256)).astype(np.float32))
    return file


def main(folder: Path) -> None:
    """Use each."""
    told: dict[str, object] = {}
    for name, settings in (
        ("piper", AgentSettings(piper_voice=piper(folder), threads=1)),
        ("kokoro", AgentSettings(kokoro_model=kokoro(folder), threads=1)),
    ):
        speaker = open_voice(settings)
        assert speaker is not None
        speaker.open()
        said = [np.concatenate(list(speaker.say(text))) for text in ("Good morning.", "Good morning to all of you.")]
        told[name] = {
            "rate": speaker.rate,
            "speaks": [speaker.speaks("en-GB"), speaker.speaks("de")],
            "samples": [len(sound) for sound in said],
            "type": str(said[0].dtype),
            "loud": int(np.abs(said[0]).max()),
        }
    ears = open_ears(AgentSettings(whisper_model=whisper(folder / "whisper"), threads=1))
    assert ears is not None
    ears.open()
    sound = RNG.normal(0, 3000, 16_000).astype(np.int16)
    told["whisper"] = [ears.hear(sound, language) for language in ("en-US", "de", "xx")]
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
