"""The two custom language model servers of the original documents, as printed, in a whole conversation.

The first one always has the same to say; the second passes on to OpenAI's SDK, which here finds the first one. It reads
its request when its answer has begun, and its own web framework has thrown the request away by then: a line that reads
it before is put in.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.support.browser import browser, watched_page
from tests.support.environments import python_client
from tests.support.microphone import quiet, recorded, said
from tests.support.seeds import between, seed
from tests.support.server import KEY, Server, free_port, serving

pytest.importorskip("livekit.agents", reason="needs the extra: pip install 'mouthpiece[agents]'")
pytestmark = [pytest.mark.client, pytest.mark.browser, pytest.mark.timeout(300)]

PATIENCE_S = 90
HANDLER = "async def chat_completions(request: Request):\n"
SAYS = "This is a test."
PRINTED = 'host="0.0.0.0", port=11000'


@contextmanager
def running(python: Path, code: str, folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    """A printed server on a free port of loopback."""
    port = free_port()
    assert PRINTED in code
    script = folder / "app.py"
    script.write_text(code.replace(PRINTED, f'host="127.0.0.1", port={port}'))
    with (folder / "requests.log").open("w") as log:
        process = subprocess.Popen(
            [str(python), str(script)],
            env={**os.environ, **(environ or {})},
            stdout=log,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stderr is not None
    for line in process.stderr:
        if "running on" in line:
            break
    else:
        pytest.fail(f"the printed server ended with {process.wait()}")
    yield port
    process.terminate()
    process.wait(20)
    process.stderr.close()


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    code = between(seed(3), "(more examples in other languages coming soon)\n\n\nCopy\n", "\nand another exxample")
    with running(Path(sys.executable), code, tmp_path_factory.mktemp("mock")) as it:
        yield it


@pytest.fixture(scope="module")
def wrapper(mock: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    code = between(seed(3), "just wrapping OpenAI SDK on the server\n\n\nCopy\n", "\n\n\n/session/{agent_id}")
    code = code.replace(HANDLER, f"{HANDLER}    await request.body()\n")
    assert "await request.body()" in code
    python = python_client("openai==3.57.0", "fastapi==0.165.0", "uvicorn==0.54.0", "python-dotenv==1.1.1")
    environ = {"OPENAI_API_KEY": "the wrapper's own key", "OPENAI_BASE_URL": f"http://127.0.0.1:{mock}"}
    with running(python, code, tmp_path_factory.mktemp("wrapper"), environ) as it:
        yield it


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question and a pause for the answer, over and over."""
    line = said("Tell me about your day, please.")
    return recorded(tmp_path_factory.mktemp("microphone") / "speech.wav", quiet(3), line, quiet(9))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose operator lets callers name addresses of this machine."""
    environ = {"MOUTHPIECE_ALLOW_HOSTS": "127.0.0.1"}
    with serving(tmp_path_factory.mktemp("house") / "data", environ=environ) as it:
        yield it


def answers(house: Server, session: str) -> list[str]:
    """What the avatar has said so far."""
    asked = httpx.get(f"{house.url}/getE2ETranscript/{session}", headers={"api-key": KEY}).json()
    return [line["content"] for line in asked["transcript"] if line["role"] == "assistant"]


@pytest.mark.parametrize("name", ["mock", "wrapper"])
def test_the_printed_server_is_the_avatars_mind(
    name: str, request: pytest.FixtureRequest, house: Server, microphone: Path
) -> None:
    port = request.getfixturevalue(name)
    custom = {"model": "gpt-4o-mini", "baseURL": f"http://127.0.0.1:{port}", "llmAPIKey": "their key"}
    body = {"apiKey": KEY, "faceId": "tmp9i8bbq7c", "customLLMConfig": custom, "createTranscript": True}
    started = httpx.post(f"{house.url}/startE2ESession", json=body, timeout=60).json()
    faults: list[str] = []
    with browser(microphone=microphone) as chromium:
        page = watched_page(chromium.new_context(permissions=["microphone"]), faults)
        page.goto(started["roomUrl"])
        page.click("#join")
        for _ in range(PATIENCE_S * 2):
            if said := answers(house, started["sessionId"]):
                break
            page.wait_for_timeout(500)
        page.click("#end")
    assert said, "nothing was answered"
    assert all((f"{SAYS} " * 5).startswith(line) for line in said), "nothing but what the printed server says"
    assert not faults
