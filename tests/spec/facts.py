"""The contract as our own tables of facts: operations, their fields with types and defaults, replies, messages.

Read from the public API documents of Simli (v1, v2) and from what their clients send; words and order are ours. The
rows of the list of operations are numbered; an alias has its operation's number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Need:
    """A field without a default; ``type`` in JSON Schema's words."""

    type: str = "string"


@dataclass(frozen=True)
class May:
    """A field that may be left away; what it then is, no document says."""

    type: str = "string"


NEED, MAY = Need(), May()
Fields = dict[str, object]
"""Names to Need, May, or the default, whose type is the field's."""


@dataclass(frozen=True)
class Reply:
    """What clients read of a success: keys that are always there. ``many``: it is a bare array of such objects.

    ``only``: clients fail on any other key.
    """

    keys: tuple[str, ...]
    many: bool = False
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Op:
    """One HTTP operation. ``body``: its JSON fields; ``query``: its parameters; ``ok``: the status of a success."""

    row: int
    method: str
    path: str
    body: Fields = field(default_factory=dict)
    query: Fields = field(default_factory=dict)
    reply: Reply | None = None
    ok: int = 200
    file: str | None = None  # the field of a form that holds a file

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Socket:
    """One WebSocket address. ``greeting``: how the first reply to an offer without any token begins."""

    row: int
    path: str
    greeting: str


# --- bodies --------------------------------------------------------------------------------------------------------
V2_TOKEN: Final[Fields] = {
    "faceId": NEED,
    "apiVersion": MAY,
    "sessionAggregator": MAY,
    "handleSilence": True,
    "maxSessionLength": 3600,
    "maxIdleTime": 300,
    "startFrame": 0,
    "audioInputFormat": "pcm16",
    "model": MAY,
    "streaming_width": 512,
    "streaming_height": 512,
    "avatar_position_x": 0.5,
    "avatar_position_y": 1.0,
    "camera": May("object"),
    "background_id": MAY,
    "foreground_id": MAY,
}
V1_TOKEN: Final[Fields] = {
    "faceId": NEED,
    "apiKey": MAY,
    "apiVersion": "v1",
    "isJPG": False,
    "syncAudio": False,
    "audioInputFormat": "pcm16",
    "batchSize": 1,
    "handleSilence": True,
    "maxSessionLength": 3600,
    "maxIdleTime": 300,
    "preloadAvatar": False,
    "model": MAY,
}
FILM: Final[Fields] = {
    "faceId": NEED,
    "audioBase64": NEED,
    "audioFormat": NEED,
    "audioSampleRate": 16_000,
    "audioChannelCount": 1,
    "videoStartingFrame": 0,
}
OFFER: Final[Fields] = {"sdp": NEED, "type": NEED, "video_transform": MAY}
AGENT_UPDATE: Final[Fields] = {
    **dict.fromkeys(("face_id", "name", "first_message", "prompt", "voice_provider", "voice_id", "voice_model"), MAY),
    **dict.fromkeys(("language", "emotion", "llm_model", "llm_endpoint", "llm_provider"), MAY),
    **dict.fromkeys(("max_idle_time", "max_session_length"), May("integer")),
}
AGENT: Final[Fields] = {
    **AGENT_UPDATE,
    "face_id": NEED,
    "name": "Untitled Agent",
    "max_idle_time": 300,
    "max_session_length": 3600,
}
AUTO_TOKEN: Final[Fields] = {
    "simliAPIKey": MAY,
    "expiryStamp": -1,
    "llmAPIKey": "",
    "ttsAPIKey": "",
    "createTranscript": False,
    "originAllowList": [],
}
START: Final[Fields] = {
    "apiKey": MAY,
    "faceId": "tmp9i8bbq7c",
    "ttsProvider": "Cartesia",
    "ttsAPIKey": MAY,
    "ttsModel": "sonic-turbo-2025-03-07",
    "voiceId": "a167e0f3-df7e-4d52-a9c3-f949145efdab",
    "systemPrompt": MAY,
    "firstMessage": MAY,
    "maxSessionLength": 3600,
    "maxIdleTime": 300,
    "language": "en",
    "customLLMConfig": May("object"),
    "llmConfig": May("object"),
    "createTranscript": May("boolean"),
    "model": MAY,
}
ROOM: Final[Fields] = {"session_token": NEED, "livekit_token": NEED, "livekit_url": NEED}
TEXT: Final[Fields] = {
    "faceId": NEED,
    "simliAPIKey": MAY,
    "ttsAPIKey": MAY,
    "user_id": "",
    "requestBody": Need("object"),
}
STARTED: Final[Fields] = {"redirect": False}

# --- replies -------------------------------------------------------------------------------------------------------
TOKEN_REPLY: Final = Reply(("session_token",))
ICE_REPLY: Final = Reply(("urls",), many=True, only=("urls", "username", "credential"))
FILM_REPLY: Final = Reply(("hls_url", "mp4_url"))
FACE_REPLY: Final = Reply(
    ("id", "owner_id", "simli_version", "created_at", "updated_at", "face_id", "faceId", "face_name", "name"), many=True
)
MADE_REPLY: Final = Reply(("face_id", "faceId", "character_uid", "id", "request_id", "message", "warnings"))
STATUS_REPLY: Final = Reply(("face_id", "status", "state", "progress", "queue_position", "message"))
ASSET_REPLY: Final = Reply(("id", "size_bytes", "url", "url_expires_at"))
ASSETS_REPLY: Final = Reply(ASSET_REPLY.keys, many=True)
ROOM_REPLY: Final = Reply(("status", "session_id", "destination"))
ANSWER_REPLY: Final = Reply(("sdp", "type"), only=("sdp", "type"))
AUTO_TOKEN_REPLY: Final = Reply(("token", "session_token"))
START_REPLY: Final = Reply(("roomUrl", "sessionId", "session_id", "status"))
TRANSCRIPT_REPLY: Final = Reply(("sessionId", "transcript"))
AGENT_KEYS: Final = ("id", *AGENT, "owner_id", "simli_version", "created_at", "updated_at")
AGENT_REPLY: Final = Reply(AGENT_KEYS, only=AGENT_KEYS)
AGENTS_REPLY: Final = Reply(AGENT_KEYS, many=True, only=AGENT_KEYS)

# --- operations ----------------------------------------------------------------------------------------------------
OPERATIONS: Final = (
    # v2
    Op(1, "GET", "/compose/ice", reply=ICE_REPLY),
    Op(2, "POST", "/compose/token", V2_TOKEN, reply=TOKEN_REPLY),
    Op(3, "POST", "/static/audio", FILM, reply=FILM_REPLY),
    Op(4, "GET", "/static/hls/{destination}/{file}"),
    Op(5, "GET", "/static/mp4/{destination}/{file}"),
    Op(
        6,
        "POST",
        "/faces/trinity",
        query={"gsVersion": "GSA_1.0", "face_name": "untitled_avatar"},
        reply=MADE_REPLY,
        file="image",
    ),
    Op(7, "POST", "/faces/trinity/preprocess", query={"retry": False}, file="image"),
    Op(8, "GET", "/faces/trinity/generation_status", query={"face_id": MAY}, reply=STATUS_REPLY),
    Op(9, "DELETE", "/faces/trinity/{id}", ok=204),
    Op(10, "GET", "/faces", reply=FACE_REPLY),
    Op(
        11,
        "POST",
        "/faces/legacy",
        query={"characterVersion": "1.5", "face_name": "untitled_avatar"},
        reply=MADE_REPLY,
        file="image",
    ),
    Op(12, "GET", "/faces/legacy/generation_status", query={"face_id": MAY}, reply=STATUS_REPLY),
    Op(13, "DELETE", "/faces/legacy/{id}", ok=204),
    Op(14, "POST", "/integrations/livekit/agents", ROOM, reply=ROOM_REPLY),
    Op(
        15,
        "GET",
        "/history/sessions",
        query=dict.fromkeys(("start", "end", "startTime", "endTime"), May("number")),
        reply=Reply(("sessions",)),
    ),
    Op(16, "GET", "/ratelimiter/sessions", reply=Reply(("currentUsage",))),
    Op(17, "POST", "/auto/token", AUTO_TOKEN, reply=AUTO_TOKEN_REPLY),
    Op(18, "POST", "/auto/start/configurable", START, reply=START_REPLY),
    Op(19, "GET", "/auto/start/{agent_id}/{session_token}", query=STARTED, reply=START_REPLY),
    Op(20, "GET", "/auto/start/{agent_id}", query=STARTED, reply=START_REPLY),
    Op(21, "POST", "/auto/start/{agent_id}", query=STARTED, reply=START_REPLY),
    Op(22, "GET", "/auto/transcript/{session_id}", query={"session_id": MAY}, reply=TRANSCRIPT_REPLY),
    Op(23, "POST", "/auto/agent", AGENT, reply=AGENT_REPLY, ok=201),
    Op(24, "GET", "/auto/agents", reply=AGENTS_REPLY),
    Op(25, "GET", "/auto/agent/{id}", reply=AGENT_REPLY),
    Op(26, "PUT", "/auto/agent/{id}", AGENT_UPDATE, reply=AGENT_REPLY),
    Op(27, "DELETE", "/auto/agent/{id}", ok=204),
    Op(28, "POST", "/assets/{kind}", reply=ASSET_REPLY, ok=201, file="image"),
    Op(29, "GET", "/assets/{kind}", reply=ASSETS_REPLY),
    Op(30, "DELETE", "/assets/{kind}/{id}", ok=204),
    Op(73, "GET", "/api/v1/ice-servers", query={"token": ""}, reply=Reply(("iceServers",), only=("iceServers",))),
    # v1
    Op(35, "POST", "/startAudioToVideoSession", V1_TOKEN, reply=TOKEN_REPLY),
    Op(35, "POST", "/startAudioVideoSession", V1_TOKEN, reply=TOKEN_REPLY),
    Op(36, "POST", "/getIceServers", {"apiKey": MAY}, reply=ICE_REPLY),
    Op(37, "GET", "/getIceServers", reply=ICE_REPLY),
    Op(38, "POST", "/startWebRTCSession", OFFER, reply=ANSWER_REPLY),
    Op(38, "POST", "/StartWebRTCSession", OFFER, reply=ANSWER_REPLY),
    Op(41, "POST", "/StartLivekitAgentsSession", ROOM, reply=ROOM_REPLY),
    Op(42, "POST", "/createE2ESessionToken", AUTO_TOKEN, reply=AUTO_TOKEN_REPLY),
    Op(43, "POST", "/startE2ESession", START, reply=START_REPLY),
    Op(44, "GET", "/session/{agent_id}/{session_token}", query=STARTED, reply=START_REPLY),
    Op(45, "GET", "/session/{agent_id}", query=STARTED, reply=START_REPLY),
    Op(46, "GET", "/getE2ETranscript/{session_id}", query={"sessionId": MAY}, reply=TRANSCRIPT_REPLY),
    Op(47, "POST", "/generateFaceID", query={"face_name": "untitled_avatar"}, reply=MADE_REPLY, file="image"),
    Op(48, "POST", "/getRequestStatus", query={"face_id": MAY}, reply=STATUS_REPLY),
    Op(49, "POST", "/agent", AGENT, reply=AGENT_REPLY, ok=201),
    Op(50, "GET", "/agents", reply=AGENTS_REPLY),
    Op(51, "GET", "/agent/{id}", reply=AGENT_REPLY),
    Op(52, "PUT", "/agent/{id}", AGENT_UPDATE, reply=AGENT_REPLY),
    Op(53, "DELETE", "/agent/{id}", ok=204),
    Op(54, "POST", "/textToVideoStream", TEXT, reply=FILM_REPLY),
    Op(55, "POST", "/audioToVideoStream", {**FILM, "simliAPIKey": MAY}, reply=FILM_REPLY),
    Op(56, "GET", "/hls/{destination}/{file}"),
    Op(57, "GET", "/mp4/{destination}/{file}"),
    # v1 extras
    Op(58, "POST", "/audioToVideo", {**FILM, "simliAPIKey": MAY}, reply=FILM_REPLY),
    Op(60, "GET", "/health"),
    Op(61, "GET", "/generalHealth"),
    Op(62, "GET", "/ping"),
    Op(63, "GET", "/available_sessions"),
    Op(64, "GET", "/available-sessions"),
    Op(65, "GET", "/WebRTC", ok=307),
    Op(67, "GET", "/getPossibleFaceIDs"),
    Op(69, "POST", "/isSessionAvailable"),
)

SOCKETS: Final = (
    Socket(31, "/compose/webrtc/p2p", "ERROR INVALID_SESSION_TOKEN"),
    Socket(32, "/compose/webrtc/peer_to_peer", "ERROR INVALID_SESSION_TOKEN"),
    Socket(33, "/peer-to-peer", "ERROR INVALID_SESSION_TOKEN"),
    Socket(34, "/compose/webrtc/livekit", "ERROR INVALID_SESSION_TOKEN"),
    Socket(39, "/startWebRTCSession", "ACK"),
    Socket(39, "/StartWebRTCSession", "ACK"),
    Socket(40, "/StartWebRTCSessionLivekit", "ERROR LIVEKIT_NOT_CONFIGURED error: "),
    Socket(72, "/api/v1/webrtc/signal", '{"type":"error","sessionId":"","data":{"code":"UNAUTHORIZED"'),
)

LEFT_OUT: Final = {66: "/WebRTC/client.js", 68: "/getPossibleVoiceIDs", 70: "/startSession", 71: "/LipsyncStream"}
"""Optional operations that no surviving document describes: what they would answer would be a pretence."""

ELSEWHERE: Final = {
    59: "tests/web/test_page.py",  # GET /: our own page
    77: "tests/transport/test_livekit.py",  # signalling: a LiveKit server beside us
    78: "tests/integrations/test_livekit.py",  # the face of an agent in its room
    79: "tests/providers/test_chat.py",  # the language model that we ask
}
"""Operations that are no route of this table's server, and where they are tested."""

MESSAGING: Final = frozenset({74, 75, 76})
"""Rows of PolyAI's messaging API, which its own apps use beside the gateway; it is no part of this server."""

# --- messages ------------------------------------------------------------------------------------------------------
CLIENT_WORDS: Final[dict[str | bytes, str]] = {
    "SKIP": "Skip",
    b"SKIP": "Skip",
    "DONE": "Done",
    b"DONE": "Done",
    "ping": "Ping",
    "ping 1732500000.125": "Ping",
    b"PLAY_IMMEDIATE\x01\x02": "PlayImmediate",
    b"\x01\x02": "Audio",
    b"CAM_" + bytes(16): "Camera",
    b"CAM_" + bytes(28): "Camera",
    b"CAM_" + bytes(36): "Camera",
    b"CAM_" + bytes(36) + b"LERP" + bytes(4): "Camera",
    b"CAM_" + bytes(20): "Audio",
    "BG_00000000-0000-0000-0000-000000000000": "Ground",
    "FG_00000000-0000-0000-0000-000000000000": "Ground",
    '{"type":"offer","sdp":"v=0"}': "Offer",
    '{"sdp":"v=0","type":"offer"}': "Offer",
}
"""What clients send, and what it is taken for."""

SERVER_WORDS: Final = ("START", "STOP", "SPEAK", "SILENT")
"""What the sockets of every generation say."""

CALL_FIELDS: Final = {
    "type",
    "sessionId",
    "data",
    "authToken",
    "mode",
    "callSid",
    "caller",
    "callee",
    "accountId",
    "projectId",
    "variantId",
    "agentVersionOverride",
}
"""Fields of the envelope of PolyAI's signalling."""

CALL_TYPES: Final = {"offer": "in", "answer": "out", "ice-candidate": "both", "close": "both", "error": "out"}
"""Its messages, and which way they go; a close may come from us, too, because its apps take one."""

CALL_CODES: Final = {
    "UNAUTHORIZED",
    "INVALID_ARGUMENT",
    "INVALID_MESSAGE",
    "HANDLER_ERROR",
    "MEDIA_BRIDGE_FAILURE",
    "AGENT_FAILURE",
}
"""Its error codes."""

VOICES: Final[dict[str, Fields]] = {
    "ElevenLabs": {
        "text": "Hello world",
        "voiceName": "21m00Tcm4TlvDq8ikWAM",
        "voice_settings": May("object"),
        "model_id": "eleven_turbo_v2_5",
    },
    "PlayHT": {
        "text": NEED,
        "voice": NEED,
        "quality": "draft",
        "output_format": "mp3",
        "speed": 1,
        "sample_rate": 24_000,
        "voice_engine": "PlayHT2.0-turbo",
        "emotion": "female_happy",
        "voice_guidance": 3,
        "style_guidance": 20,
        "text_guidance": 1,
    },
    "Cartesia": {
        "text": NEED,
        "voice_id": "a167e0f3-df7e-4d52-a9c3-f949145efdab",
        "model_id": "sonic-turbo-2025-03-07",
    },
}
"""``requestBody`` of /textToVideoStream, by its ``audioProvider``."""
