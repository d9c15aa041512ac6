"""The documents name every route, error code, flag and metric that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import generate_latest

from mouthpiece import errors
from mouthpiece.app import metrics
from mouthpiece.app.http import own
from mouthpiece.cli.main import app as cli
from mouthpiece.polyai import rest as polyai_rest
from mouthpiece.polyai import socket as polyai_socket
from mouthpiece.simli import assets, auto, auto_room, faces, messages, rest, rooms, socket, static
from mouthpiece.simli_v1 import auto as v1_auto
from mouthpiece.simli_v1 import extras as v1_extras
from mouthpiece.simli_v1 import faces as v1_faces
from mouthpiece.simli_v1 import livekit as v1_livekit
from mouthpiece.simli_v1 import rest as v1_rest
from mouthpiece.simli_v1 import socket as v1_socket
from mouthpiece.simli_v1 import static as v1_static
from mouthpiece.web import studio

DOCS = Path(__file__).parents[2] / "docs"
ROUTERS = (
    rest.router,
    assets.router,
    faces.router,
    static.router,
    socket.router,
    v1_rest.router,
    v1_faces.router,
    v1_static.router,
    v1_extras.router,
    v1_socket.router,
    rooms.router,
    v1_livekit.router,
    auto.router,
    auto_room.router,
    v1_auto.router,
    studio.router,
    polyai_rest.router,
    polyai_socket.router,
    own,
)
PROTOCOL, OPERATIONS = (DOCS / "protocol.md").read_text(), (DOCS / "operations.md").read_text()
AGENTS, POLYAI = (DOCS / "agents.md").read_text(), (DOCS / "polyai.md").read_text()


def leaves(cls: type[errors.MouthpieceError]) -> Iterator[type[errors.MouthpieceError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from leaves(sub)


@pytest.mark.parametrize("fault", list(leaves(errors.MouthpieceError)), ids=lambda fault: fault.code)
def test_every_error_code_is_in_the_table_with_its_status(fault: type[errors.MouthpieceError]) -> None:
    (status,) = re.findall(rf"^\| `{fault.code}` \| (\S+) \|", PROTOCOL, re.MULTILINE)
    assert status in (str(messages.status(fault.__new__(fault))), "–")


@pytest.mark.parametrize("path", sorted({str(vars(route)["path"]) for r in ROUTERS for route in r.routes}))
def test_every_route_is_named(path: str) -> None:
    assert any(f"{path}{end}" in text for text in (PROTOCOL, AGENTS, POLYAI) for end in "`?")


def flags(verb: str) -> list[str]:
    command: Any = typer.main.get_command(cli)
    options = command.commands[verb].params
    return [name for option in options for name in option.opts]


@pytest.mark.parametrize("flag", flags("serve"))
def test_every_flag_of_serve_is_explained(flag: str) -> None:
    assert f"`{flag}" in OPERATIONS


@pytest.mark.parametrize("flag", [flag for flag in flags("render") if flag.startswith("-")])
def test_every_flag_of_render_is_explained(flag: str) -> None:
    assert f"`{flag}`" in (DOCS / "render.md").read_text()


def test_every_metric_is_explained() -> None:
    from mouthpiece.app.agent_stats import AgentStats
    from mouthpiece.live.stage import Stage
    from mouthpiece.render.stats import RenderStats
    from mouthpiece.settings import LimitSettings, MediaSettings

    stage = Stage(None, MediaSettings(), LimitSettings())  # type: ignore[arg-type]  # never opens a session
    counted = metrics.Counted(stage, AgentStats(), RenderStats())
    text = generate_latest(metrics.registry("here", metrics.LoopLag(), counted)).decode()
    names = re.findall(r"^# TYPE (mouthpiece_\w+)", text, re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in OPERATIONS and not name.endswith("_created")] == []
