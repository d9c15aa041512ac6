from __future__ import annotations

import pytest

from mouthpiece.face.catalog import SHIPPED, load
from mouthpiece.face.mesh_face import MeshFace


@pytest.fixture(params=[face.alias for face in SHIPPED])
def face(request: pytest.FixtureRequest) -> MeshFace:
    return load(str(request.param))


@pytest.fixture
def mia() -> MeshFace:
    return load("mia")
