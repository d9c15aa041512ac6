"""Ids that Simli's documents and sample code name: each shows one of our faces, so that copied samples run.

The ids are public constants; the pictures behind them are not ours, so our own faces stand in for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

PRESET_FACES: Final = {
    "tmp9i8bbq7c": "legacy default",
    "bf13113a-355a-4d97-8b90-4edccd1da7b2": "readme sample",
    "cace3ef7-a4c4-425d-a8cf-a5358eb0c427": "Tina",
    "b9e5fba3-071a-4e35-896e-211c4d6eaa7b": "Laila",
    "d2a5c7c6-fed9-4f55-bcb3-062f7cd20103": "Kate",
    "7e74d6e7-d559-4394-bd56-4923a3ab75ad": "Sabour",
    "1c6aa65c-d858-4721-a4d9-bda9fde03141": "Fred",
    "5fc23ea5-8175-4a82-aaaf-cdd8c88543dc": "Madison",
    "804c347a-26c9-4dcf-bb49-13df4bed61e8": "Mark",
    "afdb6a3e-3939-40aa-92df-01604c23101c": "Zahra",
    "9d0ba12e-ebad-4bfa-b1fb-c6c5be21abca": "Teenager",
    "dd10cb5a-d31d-4f12-b69f-6db3383c006e": "Hank",
    "c65af549-9105-442a-92a3-dc6c89e34149": "DJ",
    "f0ba4efe-7946-45de-9955-c04a04c367b9": "Doctor",
    "b1f6ad8f-ed78-430b-85ef-2ec672728104": "Charlotte",
    "c295e3a2-ed11-48d5-a1bd-ff42ac7eac73": "Einstein",
    "4cce0ca0-550f-42d8-b500-834ffb35e0af": "Catgirl",
    "c7451e55-ea04-41c8-ab47-bdca3e4a03d8": "Cleopatra",
    "14de6eb1-0ea6-4fde-9522-8552ce691cb6": "Baby",
    "6926a39d-638b-49c5-9328-79efa034e9a4": "Big Foot",
    "c2f1d5d7-074b-405d-be4c-df52cd52166a": "Nonna",
    "121cd5ae-7df7-4ea3-a389-401a9463db52": "Edna",
    "f1abe833-b44c-4650-a01c-191b9c3c43b8": "Tony",
}
"""Face ids of sample code, and who they show there."""

NATURAL: Final = "natural"

_EMOTION_IDS: Final = {
    NATURAL: (
        "b4fcff6b-3072-45ad-89db-5a859287f3b2",
        "278fc3b6-b70e-4a2e-ba15-16f6a4e770d2",
        "6be22009-5406-4e83-be41-e70b8863d3dd",
        "8cb2eeac-b54f-4d8a-bc90-9eeb5f8e8311",
        "7713d99a-b786-4d62-9e4e-4c6f6f2ef2de",
        "d985f836-e054-46c3-bcc1-a1010791b7e1",
        "a8f318cf-efc4-4c80-a29a-e1a69bebca18",
        "011443f2-eefd-49fc-a76c-dd1d5f0c4a3d",
    ),
    "happy": (
        "92f24a0c-f046-45df-8df0-af7449c04571",
        "7a65257c-25b3-4dc1-889d-ff8a3d51ee01",
        "e6cebb46-e415-4a59-8f82-85fe36e5f1b1",
    ),
    "angry": ("668f65f6-cf71-46b5-9876-40bd83fb18d2",),
    "doubtful": ("7f5e31e8-0bf4-4a8f-97f9-76660b0f7aa1", "c24cd218-b056-4ad4-afc7-57574c4339c2"),
    "curious": ("c34d22b2-fe5c-4237-9de8-5d175de72288",),
}

EMOTIONS: Final = {kind: kind for kind in _EMOTION_IDS} | {
    emotion_id: kind for kind, ids in _EMOTION_IDS.items() for emotion_id in ids
}
"""Every id, and every kind by its own name, to the kind of emotion."""


def stand_in(preset: str, ours: Sequence[str]) -> str:
    """Which of our faces shows for a preset id: always the same one, all of ours in turn."""
    return ours[list(PRESET_FACES).index(preset) % len(ours)]
