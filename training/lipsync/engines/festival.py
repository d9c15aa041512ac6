"""Festival's voices: each utterance's waveform and segment times, in batches, one process a batch."""

from __future__ import annotations

import random
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scipy.io import wavfile

from training.lipsync.engines.arpabet import ARPABET
from training.lipsync.speech import RATE, Segment, Utterance, to_16k, utterance

BATCH = 30


@dataclass(frozen=True)
class Voice:
    """A festival voice: its function's name, language, phone set, and the encoding of its texts."""

    name: str
    language: str
    phones: str
    encoding: str = "latin1"


VOICES = {
    v.name: v
    for v in (
        Voice("kal_diphone", "en", "en"),
        Voice("ked_diphone", "en", "en"),
        Voice("cmu_us_slt_arctic_hts", "en", "en"),
        Voice("lp_diphone", "it", "it"),
        Voice("pc_diphone", "it", "it"),
        Voice("czech_dita", "cs", "cs", "latin2"),
        Voice("czech_krb", "cs", "cs", "latin2"),
        Voice("czech_machac", "cs", "cs", "latin2"),
        Voice("czech_ph", "cs", "cs", "latin2"),
        Voice("hy_fi_mv_diphone", "fi", "it"),
        Voice("suo_fi_lj_diphone", "fi", "it"),
        Voice("msu_ru_nsh_clunits", "ru", "ru", "utf-8"),
        Voice("upc_ca_ona_hts", "ca", "ca"),
        Voice("hindi_NSK_diphone", "hi", "in", "utf-8"),
        Voice("marathi_NSK_diphone", "mr", "in", "utf-8"),
        Voice("telugu_NSK_diphone", "te", "in", "utf-8"),
    )
}


def _table(pairs: str) -> dict[str, str]:
    return dict(p.split("=") for p in pairs.split())


_LATIN = "a=a e=ɛ i=i o=o u=u p=p b=b t=t d=d k=k g=g f=f v=v s=s z=z m=m n=n l=l r=r j=j w=w h=h "
PHONE_SETS = {
    "en": ARPABET,
    "it": _table(
        _LATIN + "E=ɛ O=ɔ y=y S=ʃ ts=ts dz=dz tS=tʃ dZ=dʒ nf=ɱ ng=ŋ N=ŋ J=ɲ L=ʎ @=æ 9=ø D=d "
        "ts:=ts T=t 7=ø x=x q=k c=k å=o ä=æ ö=ø ae=æ oe=ø"
    ),
    "cs": _table(_LATIN + "y=i c=ts dz=dz n*=n x=x ch=x N=ŋ c~=tʃ s~=ʃ z~=ʒ dz~=dʒ r~=ʒ r~*=ʃ n~=ɲ t~=t d~=d"),
    "ru": _table(_LATIN + "aa=a ae=ɛ ay=ə ee=ɛ ii=i y=ɨ yy=ɨ uu=u ur=u oo=o h=x hh=x c=ts ch=tʃ sh=ʃ zh=ʒ sch=ʃ"),
    "ca": _table(
        _LATIN + "ax=ə E=ɛ O=ɔ B=b D=ð G=g S=ʃ Z=ʒ tS=tʃ dZ=dʒ ts=ts dz=dz J=ɲ L=ʎ N=ŋ ng=ŋ rr=r y=j x=x X=x T=θ"
    ),
    "in": _table(
        _LATIN + "a=ʌ aa=a ih=i iy=i uh=u uw=u eh=ɛ ee=ɛ ay=æ oh=o oo=o aw=ɔ ch=tʃ j=dʒ jh=dʒ T=t D=d N=n th=t dh=d "
        "y=j L=l R=ri sh=ʃ ksh=kʃ sri=ʃri x=k kh=k gh=g td=d tth=t ddh=d bh=b zh=ɹ @=ə v=v chh=tʃ ph=p nj=ɲ gn=gn ng=ŋ"
    ),
}


def _ipa(phones: str, name: str) -> str:
    """IPA of a festival phone; doubled and lengthened ones, and stress marks, are looked through."""
    if not name.strip("#_") or name.lower() in {"pau", "sil"}:
        return ""
    table = PHONE_SETS[phones]
    bare = name.rstrip("1:")
    half = bare[: len(bare) // 2]
    found = table.get(name.lower() if phones == "en" else name) or table.get(bare)
    if found is None and bare == half * 2:
        found = table.get(half)
    return table.get(bare[:1], "ə") if found is None else found


def _script(voice: Voice, texts: list[str], folder: str, rng: random.Random) -> bytes:
    lines = [f"(voice_{voice.name})"]
    for i, text in enumerate(texts):
        spoken = "".join(ch for ch in text if ch not in '"\\()[]«»<>*')
        lines += [
            f"(Parameter.set 'Duration_Stretch {rng.uniform(0.8, 1.25):.2f})",
            f'(set! u (utt.synth (Utterance Text "{spoken}")))',
            f'(utt.save.segs u "{folder}/{i}.lab") (utt.save.wave u "{folder}/{i}.wav" \'riff)',
        ]
    return "\n".join(lines).encode(voice.encoding, "ignore")


def _read(voice: Voice, text: str, stem: Path) -> Utterance | None:
    wav, lab = stem.with_suffix(".wav"), stem.with_suffix(".lab")
    if not (wav.exists() and lab.exists()):
        return None
    rate, pcm = wavfile.read(wav)
    segments, at = [], 0.0
    for line in lab.read_text("latin1").split("\n")[1:]:
        words = line.split()
        if len(words) >= 3:
            segments.append(Segment(at, float(words[0]), _ipa(voice.phones, words[2])))
            at = float(words[0])
    pcm = to_16k(pcm, rate)
    if len(pcm) < RATE or len(segments) < 5:
        return None
    return utterance(f"festival:{voice.name}", voice.language, text, pcm, segments)


def speak(name: str, texts: list[str], rng: random.Random) -> list[Utterance]:
    """Say the texts, at most ``BATCH`` at once; those that festival stumbles over are left out."""
    voice = VOICES[name]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "say.scm"
        script.write_bytes(_script(voice, texts, folder, rng))
        subprocess.run(["festival", "-b", str(script)], capture_output=True, check=False)
        read = [_read(voice, text, Path(folder) / str(i)) for i, text in enumerate(texts)]
    return [u for u in read if u is not None]
