"""The table of facts, walked against a running server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.simli.conftest import OFFER, Front, said
from tests.spec.facts import ANY, OPERATIONS, REQUIRED, SOCKETS, VOICES, Fields, Op, Socket
from tests.support.seeds import seed

from mouthpiece import errors
from mouthpiece.simli import messages
from mouthpiece.simli_v1 import messages as v1

pytestmark = pytest.mark.asyncio(loop_scope="module")

SET_BY_THE_SERVER = {"owner_id", "created_at", "updated_at"}
"""Fields that sample requests for agents carry along; the server sets them itself and ignores what is sent."""

PARTS = sorted({op.part for op in OPERATIONS})


def plain(path: str) -> str:
    """A path whose parameters have no names: what they are called is nobody's business on the wire."""
    return re.sub(r"\{[^}]*\}", "{}", path)


@dataclass(frozen=True)
class Api:
    """What the server says of itself: operations by method and plain path, and the schemas that they name."""

    operations: dict[tuple[str, str], dict[str, Any]]
    schemas: dict[str, dict[str, Any]]

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        return self.schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema

    def bodies(self, operation: dict[str, Any]) -> list[dict[str, Any]]:
        """The JSON bodies that an operation takes."""
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        return [self.resolve(each) for each in body.get("anyOf", [body]) if each.get("type") != "null"]


async def served(front: Front) -> Api:
    api = (await front.http.get("/openapi.json")).json()
    operations = {
        (method.upper(), plain(path)): operation
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    }
    return Api(operations, api["components"]["schemas"])


def assert_fields(schema: dict[str, Any], fields: Fields) -> None:
    known = schema["properties"]
    for name, default in fields.items():
        assert name in known, name
        if default is REQUIRED:
            assert name in schema["required"], name
        else:
            assert name not in schema.get("required", []), name
            assert default is ANY or known[name].get("default") == default, name


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.part == "core"], ids=str)
async def test_the_operation_is_served_with_its_fields_and_defaults(front: Front, op: Op) -> None:
    api = await served(front)
    described = api.operations.get((op.method, plain(op.path)))
    assert described is not None, "not served"
    assert str(op.ok) in described["responses"]
    assert {each["name"] for each in described.get("parameters", ())} >= set(op.query)
    for body in api.bodies(described) if op.body else ():
        assert_fields(body, op.body)


@pytest.mark.parametrize("part", [part for part in PARTS if part != "core"])
async def test_a_capability_is_served_whole_or_not_at_all(front: Front, part: str) -> None:
    routes = (await served(front)).operations
    rows = [op for op in OPERATIONS if op.part == part]
    missing = [str(op) for op in rows if (op.method, plain(op.path)) not in routes]
    assert len(missing) in (0, len(rows)), missing
    for op in rows if not missing else ():
        described = routes[op.method, plain(op.path)]
        assert {each["name"] for each in described.get("parameters", ())} >= set(op.query), op
        assert str(op.ok) in described["responses"], op


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.part == "core"], ids=str)
async def test_every_page_may_ask_and_read_the_answer(front: Front, op: Op) -> None:
    path = re.sub(r"\{[^}]*\}", "x", op.path)
    headers = {
        "origin": "https://somewhere.example",
        "access-control-request-method": op.method,
        "access-control-request-headers": "content-type, x-simli-api-key, api-key, session-token, authorization",
    }
    preflight = await front.http.options(path, headers=headers)
    assert preflight.status_code == 200
    answer = await front.http.request(op.method, path, headers={"origin": "https://somewhere.example"}, timeout=30)
    assert answer.headers["access-control-allow-origin"] in ("*", "https://somewhere.example")


@pytest.mark.parametrize("provider", VOICES)
async def test_what_a_provider_is_to_say_has_its_fields_and_defaults(front: Front, provider: str) -> None:
    api = await served(front)
    (body,) = api.bodies(api.operations["POST", "/textToVideoStream"])
    mapping = body["properties"]["requestBody"]["discriminator"]["mapping"]
    assert_fields(api.resolve({"$ref": mapping[provider]}), VOICES[provider])


@pytest.mark.parametrize("socket", SOCKETS, ids=lambda socket: socket.path)
async def test_every_socket_is_accepted_first_and_then_speaks(front: Front, socket: Socket) -> None:
    async with front.socket(None, socket.path) as wire:
        await wire.send(OFFER)
        assert (await said(wire)).startswith(socket.greeting)


# --- against the original documents, where they are at hand --------------------------------------------------------
def sample_requests() -> Iterator[tuple[str, str, list[str]]]:
    """Method, path and body fields of every sample request of the v1 document."""
    found = re.findall(r"const options = \{(.*?)\};\s*fetch\('https://api\.simli\.ai(/[^']*)'", seed(3), re.DOTALL)
    for options, path in found:
        method = re.search(r"method: '(\w+)'", options)
        body = re.search(r"body: '(\{.*\})'", options)
        assert method is not None
        yield method[1], path, list(json.loads(body[1])) if body else []


async def test_every_sample_request_of_the_document_is_in_the_table_and_its_fields_are_known(front: Front) -> None:
    table = {(op.method, plain(op.path)): op for op in OPERATIONS}
    api = await served(front)
    count = 0
    for method, path, fields in sample_requests():
        count += 1
        op = table[method, plain(path)]
        described = api.operations.get((method, plain(path)))
        if described is None:
            assert op.part != "core"
        elif fields:
            known = {name for body in api.bodies(described) for name in body["properties"]}
            assert set(fields) - SET_BY_THE_SERVER <= known, (method, path)
    assert count >= 15


def leaves(cls: type[errors.MouthpieceError]) -> Iterator[type[errors.MouthpieceError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from leaves(sub)


@pytest.mark.parametrize("fault", list(leaves(errors.MouthpieceError)), ids=lambda fault: fault.code)
async def test_every_error_is_worded_by_a_pattern_of_the_document(fault: type[errors.MouthpieceError]) -> None:
    patterns = [re.compile(each, re.IGNORECASE) for each in re.findall(r"pattern: \^\(\?i\)(\S+\$)", seed(0))]
    assert len(patterns) == 3
    facts = {"retry_s", "reason", *re.findall(r"\{(\w+)\}", fault.text)}
    error = fault(**dict.fromkeys(facts, "7"))
    for text in (messages.error(error), v1.error(error)):
        assert any(pattern.match(text) for pattern in patterns), text


async def test_the_constants_of_the_document_are_commands_here() -> None:
    words = set(re.findall(r"const: ([A-Z]{3,})$", seed(0), re.MULTILINE))
    assert {"SKIP", "DONE"} <= words
    for word in words & {"SKIP", "DONE"}:
        assert type(messages.parse(word)).__name__.upper() == word
        assert type(messages.parse(word.encode())).__name__.upper() == word
    for word in words - {"SKIP", "DONE"}:
        assert word in {messages.START, messages.STOP, messages.SPEAK, messages.SILENT, v1.ACK}, word
