"""Without the extra ``agents``: everything else works, and the voice agents' routes say what to install."""

from __future__ import annotations

from pathlib import Path

import httpx
from tests.support.server import KEY, serving

BLOCK = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("livekit", "pocketsphinx", "google"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Blocked())
"""


def test_the_routes_say_what_to_install_and_the_rest_works(tmp_path: Path) -> None:
    (tmp_path / "usercustomize.py").write_text(BLOCK)
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    environ = {"PYTHONPATH": str(tmp_path), "MOUTHPIECE_AGENTS_WARM": "true"}
    with serving(tmp_path / "data", environ=environ) as server:
        headers = {"x-simli-api-key": KEY}
        for method, path in (
            ("POST", "/auto/token"),
            ("POST", "/auto/start/configurable"),
            ("GET", "/auto/agents"),
            ("POST", "/startE2ESession"),
            ("GET", "/agents"),
        ):
            answer = httpx.request(method, server.url + path, json={} if method == "POST" else None, headers=headers)
            assert answer.status_code == 501, path
            assert "pip install 'mouthpiece[agents]'" in answer.text
        assert server.token()
        assert httpx.get(f"{server.url}/faces", headers=headers).status_code == 200
        assert 'mouthpiece_conversations{worker="gateway"} 0.0' in httpx.get(f"{server.url}/metrics").text
