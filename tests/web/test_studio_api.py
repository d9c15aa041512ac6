"""The studio over HTTP: a picture becomes a draft, its points are moved, it is looked at and saved; nobody else's."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.support.portraits import drawn, file_of, picture
from tests.support.server import KEY, OTHER_KEY, Server, serving

pytestmark = pytest.mark.timeout(600)
POLLS, PAUSE_S = 2000, 0.2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("studio") / "data"
    environ = {"MOUTHPIECE_FACES_LANDMARKER": "/no/such/landmarker", "MOUTHPIECE_FACES_MAX_FACES": "3"}
    with serving(data, environ=environ) as it:
        yield it


@pytest.fixture(scope="module")
def mine(server: Server) -> Iterator[httpx.Client]:
    yield from client(server, KEY)


@pytest.fixture(scope="module")
def theirs(server: Server) -> Iterator[httpx.Client]:
    yield from client(server, OTHER_KEY)


def client(server: Server, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"x-simli-api-key": key}, timeout=60) as it:
        yield it


@pytest.fixture(scope="module")
def face(mine: httpx.Client) -> str:
    """A face that was drafted and saved; tests open it, and leave it as it is."""
    draft = over(mine, begin(mine))
    saved = mine.post(f"/studio/drafts/{draft['id']}/save", json={"name": "the first"})
    assert saved.status_code == 200, saved.text
    return str(draft["id"])


def begin(mine: httpx.Client) -> dict[str, Any]:
    image, points = picture("ada")
    answer = mine.post("/studio/drafts", files={"image": ("a.jpg", image)}, data={"landmarks": points})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def opened(mine: httpx.Client, face_id: str) -> dict[str, Any]:
    return dict(mine.post("/studio/drafts", data={"face_id": face_id}).json())


def over(mine: httpx.Client, draft: dict[str, Any]) -> dict[str, Any]:
    """The draft when it is made, or could not be."""
    for _ in range(POLLS):
        told = dict(mine.get(f"/studio/drafts/{draft['id']}").json())
        if told["state"] in ("ready", "failed"):
            return told
        threading.Event().wait(PAUSE_S)
    raise AssertionError(told)


def seen(mine: httpx.Client, face_id: str, **query: object) -> NDArray[np.float64]:
    answer = mine.get(f"/studio/preview/{face_id}", params=query)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"), float)


def moved(draft: dict[str, Any], kit: dict[str, Any], name: str, by: tuple[float, float]) -> list[list[float]]:
    """The points of a draft after one handle was moved, as the page moves them."""
    points = np.array(draft["landmarks"])
    (handle,) = [each for each in kit["handles"] if each["name"] == name]
    for point, weight in handle["moves"]:
        points[point, :2] += weight * np.array(by)
    return points.tolist()  # type: ignore[no-any-return]


def test_a_picture_becomes_a_draft_is_corrected_and_saved(mine: httpx.Client, theirs: httpx.Client) -> None:
    kit = mine.get("/studio/kit").json()
    draft = over(mine, begin(mine))
    assert (draft["state"], draft["progress"], draft["side"], draft["unsure"]) == ("ready", 100, 1024, False), draft
    assert np.array(draft["landmarks"]).shape == (478, 3)
    for name, mode in (("portrait", "RGB"), ("matte", "L")):
        kept = mine.get(f"/studio/drafts/{draft['id']}/{name}")
        image = Image.open(io.BytesIO(kept.content))
        assert (image.size, image.mode) == ((1024, 1024), mode)
    before = seen(mine, draft["id"], viseme="aa")
    points = moved(draft, kit, "the whole mouth", (0, 24))
    asked = mine.put(f"/studio/drafts/{draft['id']}/landmarks", json={"landmarks": points})
    assert (asked.status_code, asked.json()["state"]) == (200, "queued")
    again = over(mine, draft)
    assert again["state"] == "ready", again
    assert again["version"] != draft["version"]
    assert np.allclose(again["landmarks"], points, atol=0.01)
    assert np.abs(seen(mine, draft["id"], viseme="aa") - before).mean() > 0.3, "the mouth opens lower"
    assert draft["id"] not in mine.get("/faces").text
    assert draft["id"] not in mine.get("/studio/faces").text
    assert mine.post("/compose/token", json={"faceId": draft["id"]}).status_code == 400
    saved = mine.post(f"/studio/drafts/{draft['id']}/save", json={"name": " Ada of mine "})
    assert (saved.status_code, saved.json()["name"], saved.json()["id"]) == (200, "Ada of mine", draft["id"])
    assert mine.get("/faces").json()[0]["id"] == draft["id"]
    assert "Ada of mine" in [face["name"] for face in mine.get("/studio/faces").json()]
    assert theirs.get("/studio/faces").json() == []
    assert mine.post("/compose/token", json={"faceId": "Ada of mine"}).status_code == 200
    assert mine.get(f"/studio/drafts/{draft['id']}").status_code == 404
    assert theirs.get(f"/studio/preview/{draft['id']}").status_code == 404
    assert mine.delete(f"/faces/trinity/{draft['id']}").status_code == 204
    assert mine.get(f"/studio/preview/{draft['id']}").status_code == 404


def test_a_face_is_opened_again_and_keeps_its_id(mine: httpx.Client, face: str) -> None:
    kit = mine.get("/studio/kit").json()
    before = seen(mine, face, viseme="aa")
    draft = opened(mine, face)
    assert (draft["state"], draft["of"]) == ("ready", face)
    points = moved(draft, kit, "the whole mouth", (0, 24))
    mine.put(f"/studio/drafts/{draft['id']}/landmarks", json={"landmarks": points})
    assert over(mine, draft)["state"] == "ready"
    assert np.array_equal(seen(mine, face, viseme="aa"), before), "the face itself stays as it is"
    saved = mine.post(f"/studio/drafts/{draft['id']}/save", json={"face_id": face})
    assert (saved.status_code, saved.json()["id"]) == (200, face)
    for _ in range(POLLS):
        told = {each["id"]: each for each in mine.get("/studio/faces").json()}[face]
        if told["state"] == "ready":
            break
        threading.Event().wait(PAUSE_S)
    assert (told["state"], told["name"]) == ("ready", "the first")
    assert np.abs(seen(mine, face, viseme="aa") - before).mean() > 0.3
    assert mine.get(f"/studio/drafts/{draft['id']}").status_code == 404


def test_every_mouth_and_mood_is_drawn(mine: httpx.Client, face: str) -> None:
    kit = mine.get("/studio/kit").json()
    rest = seen(mine, face, size=128)
    assert rest.shape == (128, 128)
    assert len(kit["visemes"]) == 15
    differ = {each: np.abs(seen(mine, face, size=128, viseme=each) - rest).max() for each in kit["visemes"]}
    assert [viseme for viseme, by in differ.items() if by < 8] == ["sil"]
    for emotion in kit["emotions"]:
        assert (np.abs(seen(mine, face, size=128, emotion=emotion) - rest).max() > 8) == (emotion != "natural")
    half = seen(mine, face, size=128, viseme="aa", weight=0.5)
    full = seen(mine, face, size=128, viseme="aa")
    assert 4 < np.abs(half - rest).mean() * 1e3 < np.abs(full - rest).mean() * 1e3
    for query, words in (({"viseme": "xx"}, "sil, PP"), ({"emotion": "bored"}, "natural, happy")):
        refused = mine.get(f"/studio/preview/{face}", params=query)
        assert (refused.status_code, words in refused.text) == (400, True)
    for query in ({"size": "62"}, {"size": "127"}, {"weight": "2"}):
        assert mine.get(f"/studio/preview/{face}", params=query).status_code == 422


def test_what_is_anothers_is_not_found(mine: httpx.Client, theirs: httpx.Client, server: Server, face: str) -> None:
    draft = opened(mine, face)
    at = f"/studio/drafts/{draft['id']}"
    points = {"landmarks": draft["landmarks"]}
    for answer in (
        theirs.get(at),
        theirs.get(f"{at}/portrait"),
        theirs.get(f"{at}/matte"),
        theirs.put(f"{at}/landmarks", json=points),
        theirs.post(f"{at}/save", json={"name": "x"}),
        theirs.delete(at),
        theirs.get(f"/studio/preview/{draft['id']}"),
        theirs.post("/studio/drafts", data={"face_id": face}),
        theirs.get(f"/studio/preview/{face}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), answer.url
    assert httpx.get(f"{server.url}{at}").status_code == 401
    assert mine.delete(at).status_code == 204
    assert mine.get(at).status_code == 404


def test_what_is_wrong_is_said(mine: httpx.Client, face: str) -> None:
    def refused(answer: httpx.Response, status: int, words: str) -> None:
        assert answer.status_code == status, answer.text
        assert words in answer.text

    refused(mine.post("/studio/drafts"), 400, "send either a picture")
    refused(mine.post("/studio/drafts", files={"image": b"no picture"}), 400, "NOT_AN_IMAGE")
    refused(mine.post("/studio/drafts", data={"face_id": "nobody"}), 404, "NOT_FOUND")
    image = file_of(drawn()[0], "JPEG")
    failed = over(mine, mine.post("/studio/drafts", files={"image": image}).json())
    assert (failed["state"], failed["code"], failed["landmarks"]) == ("failed", "NOT_CONFIGURED", None)
    assert "mouthpiece setup faces" in failed["error"]
    at = f"/studio/drafts/{failed['id']}"
    refused(mine.get(f"{at}/portrait"), 404, "NOT_READY")
    refused(mine.post(f"{at}/save", json={"name": "x"}), 404, "NOT_READY")
    draft = opened(mine, face)
    at = f"/studio/drafts/{draft['id']}"
    good = np.array(draft["landmarks"])
    for change, words in (
        (good[:, [1, 0, 2]], "make no face"),
        (good * [-1, 1, 1] + [1024, 0, 0], "the eyes are swapped"),
        (good + 2000, "outside the picture"),
        (good[:400], "478 points"),
        (good[:, :2], "x, y and z"),
    ):
        refused(mine.put(f"{at}/landmarks", json={"landmarks": change.tolist()}), 400, words)
    refused(mine.put(f"{at}/landmarks", json={"landmarks": "x"}), 422, "landmarks")
    turned = good.copy()
    turned[:, 2] += 1.2 * (turned[:, 0] - turned[4, 0])
    mine.put(f"{at}/landmarks", json={"landmarks": turned.tolist()})
    failed = over(mine, draft)
    assert (failed["state"], failed["code"]) == ("failed", "FACE_TURNED_AWAY")
    assert np.allclose(failed["landmarks"], good, atol=0.01), "nothing is lost"
    mine.put(f"{at}/landmarks", json={"landmarks": good.tolist()})
    assert over(mine, draft)["state"] == "ready"
    refused(mine.post(f"{at}/save", json={"name": "  "}), 400, "needs a name")
    refused(mine.post(f"{at}/save", json={"face_id": "another"}), 404, "begun from")
    mine.delete(at)


def test_limits(mine: httpx.Client, face: str) -> None:
    copies = [opened(mine, face)["id"] for _ in range(9)]
    there = [mine.get(f"/studio/drafts/{draft}").status_code for draft in copies]
    assert there == [404] + [200] * 8, "the oldest draft went"
    for name, draft in zip(("two", "three"), copies[1:3], strict=True):
        assert mine.post(f"/studio/drafts/{draft}/save", json={"name": name}).status_code == 200
    full = mine.post(f"/studio/drafts/{copies[3]}/save", json={"name": "four"})
    assert (full.status_code, full.json()["code"]) == (413, "TOO_LARGE")
    assert [each["name"] for each in mine.get("/studio/faces").json()] == ["three", "two", "the first"]
    for each in copies[1:3]:
        assert mine.delete(f"/faces/trinity/{each}").status_code == 204
    for draft in copies[3:]:
        assert mine.delete(f"/studio/drafts/{draft}").status_code == 204
