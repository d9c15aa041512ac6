"""Speech-to-speech models in whole conversations: real plugins, against servers that speak their wire formats."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.agent.conftest import Open
from tests.support.clouds import ANSWER, Clouds
from tests.support.realtime_clouds import HEARD, Gemini, OpenAIRealtime

from mouthpiece.agent.avatar import NO_MIND
from mouthpiece.agent.base import Caption, Fault, Plan
from mouthpiece.media import Pcm
from mouthpiece.providers import cloud
from mouthpiece.providers.base import MindChoice
from mouthpiece.providers.kinds import Mind
from mouthpiece.settings import AgentSettings

pytestmark = pytest.mark.filterwarnings("ignore:Setting `LiveConnectConfig:DeprecationWarning")  # google's own plugin
Person = Callable[[str], Awaitable[Pcm]]
LIVE = "/google/{path:.*BidiGenerateContent}"
SORRY = Caption("assistant", NO_MIND, True)
MODELS = ["gpt-realtime", "gemini-2.5-flash-native-audio-preview-12-2025"]


@dataclass
class Sky:
    clouds: Clouds
    urls: AgentSettings

    def mind(self, model: str) -> Mind:
        if model.startswith("gpt"):
            return cloud.openai_mind(MindChoice("openai", model, "", "sk-mind"), self.urls)
        return cloud.google_mind(MindChoice("google", model, "", "sk-mind"), self.urls)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """For 127.0.0.1: Gemini Live is reached with TLS only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, private)
    return cert, context


@pytest_asyncio.fixture
async def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sky]:
    cert, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    it = Clouds()
    app = web.Application()
    gemini = Gemini(it)
    app.router.add_get("/openai/realtime", OpenAIRealtime(it).serve)
    app.router.add_post("/google/v1beta/models/{call}", gemini.generate)
    app.router.add_get(LIVE, gemini.live)
    async with contextlib.AsyncExitStack() as stack:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(it.gone.set)
        for secure in (None, context):
            await web.TCPSite(runner, "localhost", 0, ssl_context=secure).start()
        plain, secured = (f"localhost:{address[1]}" for address in runner.addresses[:1] + runner.addresses[-1:])
        yield Sky(it, AgentSettings(openai_url=f"http://{plain}/openai", google_url=f"https://{secured}/google"))


@pytest.mark.parametrize("model", MODELS)
async def test_a_question_is_heard_and_answered_by_the_model_itself(
    converse: Open, person: Person, sky: Sky, model: str
) -> None:
    mind = sky.mind(model)
    async with converse(Plan("s", "You are kind."), mind=mind) as room:
        room.say(await person("What time is it, please?"))
        await room.until(lambda: len(room.lines) >= 2)
        assert [(line.role, line.content) for line in room.lines] == [("user", HEARD), ("assistant", ANSWER)]
        assert any(room.audible)
        assert room.captions("assistant")[-1] == ANSWER
        assert sky.clouds.seen[0][1].endswith("sk-mind")
        assert "You are kind." in " ".join(sky.clouds.texts)
    await mind.aclose()


@pytest.mark.parametrize("model", MODELS)
async def test_the_first_message_is_the_model_s_and_an_interrupted_answer_is_kept_as_far_as_it_was_heard(
    converse: Open, sky: Sky, model: str
) -> None:
    mind = sky.mind(model)
    async with converse(Plan("s", "You are kind.", first_message="Good day."), mind=mind) as room:
        await room.until(lambda: bool(room.captions("assistant")))
        assert room.talk is not None
        room.talk.interrupt()
        await room.until(lambda: bool(room.lines))
        (line,) = room.lines
        assert line.interrupted
        assert ANSWER.startswith(line.content)
        assert 0 < len(line.content) < len(ANSWER)
        assert any("Good day." in text for text in sky.clouds.texts)
    await mind.aclose()


@pytest.mark.parametrize("mode", ["refuse", "limit", "break"])
@pytest.mark.parametrize("model", MODELS)
async def test_a_model_that_fails_is_apologised_for_and_asked_again(
    converse: Open, person: Person, sky: Sky, model: str, mode: str
) -> None:
    sky.clouds.mode = mode  # type: ignore[assignment]
    mind = sky.mind(model)
    async with converse(Plan("s", "You are kind."), mind=mind) as room:
        if mode == "break":
            room.say(await person("What time is it, please?"))
        await room.until(lambda: NO_MIND in room.captions("assistant"))
        assert {fault.stage for fault in room.of(Fault)} == {"mind"}  # type: ignore[union-attr]
        sky.clouds.mode = "good"
        asked = len(sky.clouds.seen)
        if mode != "break":  # then it has dialled again already
            await room.until(lambda: len(sky.clouds.seen) > asked)
        await room.until(lambda: not room.queued)
        room.say(await person("What time is it, please?"))
        await room.until(lambda: any(line.content == ANSWER for line in room.lines))
    await mind.aclose()


@pytest.mark.parametrize("mode", ["mute", "stall"])
@pytest.mark.parametrize("model", MODELS)
async def test_a_model_that_hangs_is_noticed_and_called_again(
    converse: Open, person: Person, sky: Sky, model: str, mode: str
) -> None:
    """Its line is open, and nothing is said on it, or nothing more."""
    sky.clouds.mode = mode  # type: ignore[assignment]
    mind = sky.mind(model)
    question = await person("What time is it, please?")
    async with converse(Plan("s", "You are kind."), mind=mind, answer_s=1.5) as room:
        await room.until(lambda: len(sky.clouds.seen) == 1)
        sky.clouds.mode = "good"  # of the next line
        room.say(question)
        await room.until(lambda: NO_MIND in room.captions("assistant"))
        assert [fault.stage for fault in room.of(Fault)] == ["mind"]  # type: ignore[union-attr]
        assert len(sky.clouds.seen) == 2, "it was called again before the user was asked to try again"
        assert not any(line.content == ANSWER for line in room.lines)
        room.say(question)
        await room.until(lambda: any(line.content == ANSWER for line in room.lines))
        assert len(room.of(Fault)) == 1
    await mind.aclose()


@pytest.mark.parametrize("model", MODELS)
async def test_each_question_that_a_model_leaves_open_is_apologised_for(
    converse: Open, person: Person, sky: Sky, model: str
) -> None:
    sky.clouds.mode = "mute"
    mind = sky.mind(model)
    question = await person("What time is it, please?")
    async with converse(Plan("s", "You are kind."), mind=mind, answer_s=1.5) as room:
        for times in (1, 2):
            room.say(question)
            await room.until(lambda times=times: room.of(Caption).count(SORRY) == times)  # type: ignore[misc]
            assert len(room.of(Fault)) == times
            assert len(sky.clouds.seen) == times + 1
    await mind.aclose()


@pytest.mark.parametrize("model", MODELS)
async def test_a_model_that_does_not_greet_is_noticed(converse: Open, sky: Sky, model: str) -> None:
    sky.clouds.mode = "mute"
    mind = sky.mind(model)
    async with converse(Plan("s", "You are kind.", first_message="Good day."), mind=mind, answer_s=1.5) as room:
        await room.until(lambda: NO_MIND in room.captions("assistant"))
    await mind.aclose()
