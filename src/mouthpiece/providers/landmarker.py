# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["mediapipe==0.10.21", "protobuf==4.25.9", "opencv-contrib-python-headless<5", "numpy<2"]
# [tool.uv]
# override-dependencies = [
#   "jax ; sys_platform == 'never'", "jaxlib ; sys_platform == 'never'", "scipy ; sys_platform == 'never'",
#   "sounddevice ; sys_platform == 'never'", "opencv-contrib-python ; sys_platform == 'never'",
#   "sentencepiece ; sys_platform == 'never'",
# ]
# ///
"""Finds faces in pictures: a script with an environment of its own, since its pins fit nobody else's.

It is never imported. ``uv run --no-project --script`` makes the environment once and runs it; it says ``ready``, then
answers each JSON line on stdin with one on stdout until stdin ends. A request is ``{"image": PATH}`` of an .npy file
(RGB, uint8, (h, w, 3)), with ``"mirror": true`` to look at each face mirrored too and ``"matte": true`` for the matte;
the answer has ``faces`` (``box`` x, y, width, height; ``score``; ``landmarks`` and ``mirrored``, 478 x, y, z in
pixels), and ``matte``, a greyscale PNG in base64.
"""

from __future__ import annotations

import base64
import json
import os
import sys

os.environ.setdefault("GLOG_minloglevel", "3")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import mediapipe as mp
import numpy as np

AROUND = 2.5  # a face is looked at in a square so many times the detector's box
SURE = 0.4
MESH_SURE = 0.3
SAME = 0.35  # boxes that overlap by more of their union are one face
MOST_FACES = 6


class Landmarker:
    """The three networks of the wheel."""

    def __init__(self):
        solutions = mp.solutions
        self.detectors = [
            solutions.face_detection.FaceDetection(model_selection=reach, min_detection_confidence=SURE)
            for reach in (1, 0)
        ]
        self.mesh = solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=2, refine_landmarks=True, min_detection_confidence=MESH_SURE
        )
        self.person = None

    def faces(self, image, mirror):
        """Every face that both a detector and the mesh see, best first."""
        found = []
        for score, box in self.boxes(image):
            left, top, side = _square(box)
            crop = _cut(image, left, top, side)
            points = self.points(crop)
            if points is None:
                continue
            face = {"score": score, "box": box, "landmarks": _listed(points, left, top)}
            if mirror:
                flipped = self.points(np.ascontiguousarray(crop[:, ::-1]))
                if flipped is not None:
                    flipped[:, 0] = side - flipped[:, 0]
                    face["mirrored"] = _listed(flipped, left, top)
            found.append(face)
        return found

    def boxes(self, image):
        """Boxes x, y, width, height in pixels; both detectors, each face once."""
        height, width = image.shape[:2]
        seen = []
        for detector in self.detectors:
            for each in detector.process(image).detections or []:
                b = each.location_data.relative_bounding_box
                box = [b.xmin * width, b.ymin * height, b.width * width, b.height * height]
                if min(box[2:]) >= 4 and all(_overlap(box, other) < SAME for _, other in seen):
                    seen.append((float(each.score[0]), box))
        return sorted(seen, key=lambda each: -each[1][3])[:MOST_FACES]

    def points(self, crop):
        """Landmarks (478, 3) of the face in the middle of a square, in its pixels."""
        side = crop.shape[0]
        look = crop if side <= 1024 else cv2.resize(crop, (1024, 1024), interpolation=cv2.INTER_AREA)
        result = self.mesh.process(look).multi_face_landmarks or []
        meshes = [np.array([[p.x, p.y, p.z] for p in face.landmark]) * side for face in result]
        middle = np.array([side / 2, side / 2])
        near = [m for m in meshes if np.abs(m[4, :2] - middle).max() < side / 4]
        return min(near, key=lambda m: float(np.linalg.norm(m[4, :2] - middle))) if near else None

    def matte(self, image):
        """How much of each pixel is a person, as a PNG in base64."""
        if self.person is None:
            self.person = mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
        mask = self.person.process(image).segmentation_mask
        levels = (np.clip(mask, 0, 1) * 255).round().astype(np.uint8)
        return base64.b64encode(cv2.imencode(".png", levels)[1].tobytes()).decode()


def _square(box):
    x, y, w, h = box
    side = max(32, round(AROUND * max(w, h)))
    return round(x + w / 2 - side / 2), round(y + h / 2 - side / 2), side


def _cut(image, left, top, side):
    height, width = image.shape[:2]
    inner = image[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    beyond = (max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width))
    return np.ascontiguousarray(cv2.copyMakeBorder(inner, *beyond, cv2.BORDER_REPLICATE))


def _overlap(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0.0, w) * max(0.0, h)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def _listed(points, left, top):
    return np.add(points, [left, top, 0]).round(3).tolist()


def main():
    """Answer requests until there are no more."""
    landmarker = Landmarker()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        image = np.ascontiguousarray(np.load(asked["image"], allow_pickle=False))
        answer = {"faces": landmarker.faces(image, bool(asked.get("mirror")))}
        if asked.get("matte"):
            answer["matte"] = landmarker.matte(image)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
