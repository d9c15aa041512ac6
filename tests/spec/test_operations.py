"""The table of facts, walked against a running server."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.simli.conftest import OFFER, Front, said
from tests.spec.facts import (
    CLIENT_WORDS,
    ELSEWHERE,
    LEFT_OUT,
    MESSAGING,
    OPERATIONS,
    SERVER_WORDS,
    SOCKETS,
    VOICES,
    Fields,
    May,
    Need,
    Op,
    Reply,
    Socket,
)
from tests.support.seeds import seed
from websockets.exceptions import ConnectionClosed

from mouthpiece import errors
from mouthpiece.simli import messages
from mouthpiece.simli_v1 import messages as v1

pytestmark = pytest.mark.asyncio(loop_scope="module")

SET_BY_THE_SERVER = {"owner_id", "created_at", "updated_at"}
"""Fields that sample requests for agents carry along; the server sets them itself and ignores what is sent."""

ROOT = Path(__file__).parents[2]
JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


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

    def bodies(self, operation: dict[str, Any], media: str = "application/json") -> list[dict[str, Any]]:
        """The bodies that an operation takes."""
        body = operation["requestBody"]["content"][media]["schema"]
        return [self.resolve(each) for each in body.get("anyOf", [body]) if each.get("type") != "null"]

    def reply(self, operation: dict[str, Any], status: int) -> dict[str, Any]:
        """The JSON of a success."""
        return self.resolve(operation["responses"][str(status)]["content"]["application/json"]["schema"])

    def types(self, schema: dict[str, Any]) -> set[str]:
        """What a value may be; null, which stands for absence, left out."""
        schema = self.resolve(schema)
        if ways := schema.get("anyOf") or schema.get("oneOf"):
            return set().union(*(self.types(each) for each in ways))
        return {schema["type"]} - {"null"} if "type" in schema else set()


async def served(front: Front) -> Api:
    api = (await front.http.get("/openapi.json")).json()
    operations = {
        (method.upper(), plain(path)): operation
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    }
    return Api(operations, api["components"]["schemas"])


def assert_fields(api: Api, schema: dict[str, Any], fields: Fields) -> None:
    """Every field is known, needed or not as it should be, of its type, and with its default."""
    known = schema["properties"]
    for name, fact in fields.items():
        assert name in known, name
        assert (name in schema.get("required", [])) == isinstance(fact, Need), name
        assert_value(api, known[name], fact, name)


def assert_value(api: Api, schema: dict[str, Any], fact: object, name: str) -> None:
    if isinstance(fact, Need | May):
        assert fact.type in api.types(schema), name
    else:
        wanted = JSON_TYPES[type(fact)]
        assert api.types(schema) & ({wanted, "number"} if wanted == "integer" else {wanted}), name
        assert schema.get("default") == fact, name


def assert_reply(api: Api, schema: dict[str, Any], reply: Reply) -> None:
    """Every key is always there; where clients fail on others, there is none."""
    if reply.many:
        assert schema["type"] == "array"
        schema = api.resolve(schema["items"])
    assert set(schema["required"]) | {n for n, p in schema["properties"].items() if "default" in p} >= set(reply.keys)
    assert not reply.only or set(schema["properties"]) <= set(reply.only)


async def test_every_row_is_met_left_out_or_tested_elsewhere() -> None:
    met = {op.row for op in OPERATIONS} | {socket.row for socket in SOCKETS}
    assert met | LEFT_OUT.keys() | ELSEWHERE.keys() | MESSAGING == set(range(1, 80))
    assert not met & (LEFT_OUT.keys() | MESSAGING)
    for path in ELSEWHERE.values():
        assert "def test_" in (ROOT / path).read_text(), path


@pytest.mark.parametrize("op", OPERATIONS, ids=str)
async def test_the_operation_is_served_with_its_fields_types_and_defaults(front: Front, op: Op) -> None:
    api = await served(front)
    described = api.operations.get((op.method, plain(op.path)))
    assert described is not None, "not served"
    assert str(op.ok) in described["responses"]
    parameters = {each["name"]: each["schema"] for each in described.get("parameters", ()) if each["in"] == "query"}
    assert_fields(api, {"properties": parameters}, op.query)
    for body in api.bodies(described) if op.body else ():
        assert_fields(api, body, op.body)
    for body in api.bodies(described, "multipart/form-data") if op.file else ():
        assert_fields(api, body, {str(op.file): Need()})
    if op.reply is not None:
        assert_reply(api, api.reply(described, op.ok), op.reply)


@pytest.mark.parametrize("op", OPERATIONS, ids=str)
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


OPEN = {
    op.path for op in OPERATIONS if "{file}" in op.path or op.path in {"/health", "/generalHealth", "/ping", "/WebRTC"}
}
"""Operations that ask for nothing: films, and whether the server is well."""
SHOWN = {"/integrations/livekit/agents", "/StartLivekitAgentsSession", "/startWebRTCSession", "/StartWebRTCSession"}
"""Operations whose key is a token, in the body or later."""


@pytest.mark.parametrize("op", [op for op in OPERATIONS if op.path not in OPEN | SHOWN], ids=str)
async def test_without_a_key_every_other_operation_says_so(front: Front, op: Op) -> None:
    path = re.sub(r"\{[^}]*\}", "x", op.path).replace("/assets/x", "/assets/backgrounds")
    body: dict[str, Any] = {"json": GOOD.get(op.path, {})} if op.body else {}
    if op.file:
        body = {"files": {op.file: b"no picture"}}
    answer = await front.http.request(op.method, path, **body)
    assert answer.status_code in (401, 501), answer.text  # 501: this server of the tests renders no films
    assert answer.json()["session_token"] == "FAIL TOKEN"


SPOKEN = {"faceId": "mia", "requestBody": {"audioProvider": "Cartesia", "text": "hello"}}
GOOD: dict[str, dict[str, Any]] = {
    **{op.path: {"faceId": "mia"} for op in OPERATIONS if op.row in (2, 35)},
    **{op.path: {"face_id": "mia"} for op in OPERATIONS if op.row in (23, 49)},
    "/textToVideoStream": SPOKEN,
}
"""Bodies of the right shape; the others need no field."""


@pytest.mark.parametrize("path", LEFT_OUT.values())
async def test_what_is_left_out_is_not_there_and_the_documents_say_so(front: Front, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await front.http.request(method, path)).status_code == 404
    for page in ("protocol.md", "compatibility.md"):
        assert path in (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize("provider", VOICES)
async def test_what_a_provider_is_to_say_has_its_fields_and_defaults(front: Front, provider: str) -> None:
    api = await served(front)
    (body,) = api.bodies(api.operations["POST", "/textToVideoStream"])
    mapping = body["properties"]["requestBody"]["discriminator"]["mapping"]
    assert_fields(api, api.resolve({"$ref": mapping[provider]}), VOICES[provider])


@pytest.mark.parametrize("socket", SOCKETS, ids=lambda socket: socket.path)
async def test_every_socket_is_accepted_first_and_then_speaks(front: Front, socket: Socket) -> None:
    async with front.socket(None, socket.path) as wire:
        with contextlib.suppress(ConnectionClosed):  # it may have been told already
            await wire.send(OFFER)
        assert (await said(wire)).startswith(socket.greeting)


async def test_what_clients_send_is_taken_for_what_it_is() -> None:
    assert {word: type(messages.parse(word)).__name__ for word in CLIENT_WORDS} == CLIENT_WORDS


async def test_what_sockets_say_is_what_clients_look_for() -> None:
    assert (messages.START, messages.STOP, messages.speaking(True), messages.speaking(False)) == SERVER_WORDS
    assert (v1.ACK, v1.MISSING_TOKEN) == ("ACK", "MISSING_SESSION_TOKEN")


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
        described = api.operations[method, plain(path)]
        assert op.row
        if fields:
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
