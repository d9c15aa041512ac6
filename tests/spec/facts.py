"""The contract as our own table of facts: every operation, its fields with their defaults, its parameters.

Read from the public API documents of Simli (v1, v2) and from what their clients send; words and order are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


class Required:
    """The field has no default."""


class Any:
    """The field may be left away; what it then is, no document says."""


REQUIRED, ANY = Required(), Any()
Fields = dict[str, object]


@dataclass(frozen=True)
class Op:
    """One HTTP operation. ``body``: JSON fields with their defaults; ``query``: parameters; ``ok``: its status.

    ``part``: the capability that it belongs to. A capability is served whole or not at all.
    """

    method: str
    path: str
    body: Fields = field(default_factory=dict)
    query: tuple[str, ...] = ()
    ok: int = 200
    part: str = "core"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Socket:
    """One WebSocket address. ``greeting``: how the first reply to an offer without any token begins."""

    path: str
    greeting: str


V2_TOKEN: Final[Fields] = {
    "faceId": REQUIRED,
    "apiVersion": ANY,
    "sessionAggregator": ANY,
    "handleSilence": True,
    "maxSessionLength": 3600,
    "maxIdleTime": 300,
    "startFrame": 0,
    "audioInputFormat": "pcm16",
    "model": ANY,
    "streaming_width": 512,
    "streaming_height": 512,
    "avatar_position_x": 0.5,
    "avatar_position_y": 1.0,
    "camera": ANY,
    "background_id": ANY,
    "foreground_id": ANY,
}
V1_TOKEN: Final[Fields] = {
    "faceId": REQUIRED,
    "apiKey": ANY,
    "apiVersion": "v1",
    "isJPG": False,
    "syncAudio": False,
    "audioInputFormat": "pcm16",
    "batchSize": 1,
    "handleSilence": True,
    "maxSessionLength": 3600,
    "maxIdleTime": 300,
    "preloadAvatar": False,
    "model": ANY,
}
FILM: Final[Fields] = {
    "faceId": REQUIRED,
    "audioBase64": REQUIRED,
    "audioFormat": REQUIRED,
    "audioSampleRate": 16_000,
    "audioChannelCount": 1,
    "videoStartingFrame": 0,
}
OFFER: Final[Fields] = {"sdp": REQUIRED, "type": REQUIRED, "video_transform": ANY}

OPERATIONS: Final = (
    # v2
    Op("GET", "/compose/ice"),
    Op("POST", "/compose/token", V2_TOKEN),
    Op("POST", "/static/audio", FILM),
    Op("GET", "/static/hls/{destination}/{file}"),
    Op("GET", "/static/mp4/{destination}/{file}"),
    Op("GET", "/faces"),
    Op("GET", "/history/sessions", query=("start", "end", "startTime", "endTime")),
    Op("GET", "/ratelimiter/sessions"),
    Op("POST", "/faces/trinity", query=("gsVersion", "face_name"), part="faces"),
    Op("POST", "/faces/trinity/preprocess", query=("retry",), part="faces"),
    Op("GET", "/faces/trinity/generation_status", query=("face_id",), part="faces"),
    Op("DELETE", "/faces/trinity/{id}", ok=204, part="faces"),
    Op("POST", "/faces/legacy", query=("characterVersion", "face_name"), part="faces"),
    Op("GET", "/faces/legacy/generation_status", query=("face_id",), part="faces"),
    Op("DELETE", "/faces/legacy/{id}", ok=204, part="faces"),
    Op("POST", "/generateFaceID", query=("face_name",), part="faces"),
    Op("POST", "/getRequestStatus", query=("face_id",), part="faces"),
    Op("POST", "/assets/backgrounds", ok=201, part="assets"),
    Op("GET", "/assets/backgrounds", part="assets"),
    Op("DELETE", "/assets/backgrounds/{id}", ok=204, part="assets"),
    Op("POST", "/assets/foregrounds", ok=201, part="assets"),
    Op("GET", "/assets/foregrounds", part="assets"),
    Op("DELETE", "/assets/foregrounds/{id}", ok=204, part="assets"),
    Op("POST", "/integrations/livekit/agents", part="livekit"),
    Op("POST", "/StartLivekitAgentsSession", part="livekit"),
    Op("POST", "/auto/token", part="agents"),
    Op("POST", "/auto/start/configurable", part="agents"),
    Op("GET", "/auto/start/{agent_id}/{session_token}", query=("redirect",), part="agents"),
    Op("GET", "/auto/start/{agent_id}", query=("redirect",), part="agents"),
    Op("POST", "/auto/start/{agent_id}", query=("redirect",), part="agents"),
    Op("GET", "/auto/transcript/{session_id}", part="agents"),
    Op("POST", "/auto/agent", ok=201, part="agents"),
    Op("GET", "/auto/agents", part="agents"),
    Op("GET", "/auto/agent/{id}", part="agents"),
    Op("PUT", "/auto/agent/{id}", part="agents"),
    Op("DELETE", "/auto/agent/{id}", ok=204, part="agents"),
    Op("GET", "/api/v1/ice-servers", query=("token",), part="polyai"),
    # v1
    Op("POST", "/startAudioToVideoSession", V1_TOKEN),
    Op("POST", "/startAudioVideoSession", V1_TOKEN),
    Op("POST", "/getIceServers", {"apiKey": ANY}),
    Op("GET", "/getIceServers"),
    Op("POST", "/startWebRTCSession", OFFER),
    Op("POST", "/StartWebRTCSession", OFFER),
    Op(
        "POST",
        "/textToVideoStream",
        {"faceId": REQUIRED, "simliAPIKey": ANY, "ttsAPIKey": ANY, "user_id": "", "requestBody": REQUIRED},
    ),
    Op("POST", "/audioToVideoStream", {**FILM, "simliAPIKey": ANY}),
    Op("POST", "/audioToVideo", {**FILM, "simliAPIKey": ANY}),
    Op("GET", "/hls/{destination}/{file}"),
    Op("GET", "/mp4/{destination}/{file}"),
    Op("POST", "/createE2ESessionToken", part="agents"),
    Op("POST", "/startE2ESession", part="agents"),
    Op("GET", "/session/{agent_id}/{session_token}", query=("redirect",), part="agents"),
    Op("GET", "/session/{agent_id}", query=("redirect",), part="agents"),
    Op("GET", "/getE2ETranscript/{session_id}", part="agents"),
    Op("POST", "/agent", ok=201, part="agents"),
    Op("GET", "/agents", part="agents"),
    Op("GET", "/agent/{id}", part="agents"),
    Op("PUT", "/agent/{id}", part="agents"),
    Op("DELETE", "/agent/{id}", ok=204, part="agents"),
    # v1 extras
    Op("GET", "/health"),
    Op("GET", "/generalHealth"),
    Op("GET", "/ping"),
    Op("GET", "/available_sessions"),
    Op("GET", "/available-sessions"),
    Op("POST", "/isSessionAvailable"),
    Op("GET", "/getPossibleFaceIDs"),
)

SOCKETS: Final = (
    Socket("/compose/webrtc/p2p", "ERROR INVALID_SESSION_TOKEN"),
    Socket("/compose/webrtc/peer_to_peer", "ERROR INVALID_SESSION_TOKEN"),
    Socket("/peer-to-peer", "ERROR INVALID_SESSION_TOKEN"),
    Socket("/compose/webrtc/livekit", "ERROR INVALID_SESSION_TOKEN"),
    Socket("/startWebRTCSession", "ACK"),
    Socket("/StartWebRTCSession", "ACK"),
)

VOICES: Final[dict[str, Fields]] = {
    "ElevenLabs": {
        "text": "Hello world",
        "voiceName": "21m00Tcm4TlvDq8ikWAM",
        "voice_settings": ANY,
        "model_id": "eleven_turbo_v2_5",
    },
    "PlayHT": {
        "text": REQUIRED,
        "voice": REQUIRED,
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
        "text": REQUIRED,
        "voice_id": "a167e0f3-df7e-4d52-a9c3-f949145efdab",
        "model_id": "sonic-turbo-2025-03-07",
    },
}
"""``requestBody`` of /textToVideoStream, by its ``audioProvider``."""
