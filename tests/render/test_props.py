"""What a render job has beside its sound and face: an engine that may not be there, pictures that may be gone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.render.conftest import Open
from tests.render.test_desk import LOOK, PCM

from mouthpiece.codec.mux import MOVIE
from mouthpiece.media import SAMPLE_RATE
from mouthpiece.render.base import Order
from mouthpiece.settings import EngineSettings
from mouthpiece.store.jobs import JobState


async def test_what_is_missing_is_said_in_the_log_and_the_film_is_made(
    open_works: Open, caplog: pytest.LogCaptureFixture
) -> None:
    hum = (8000 * np.sin(np.arange(SAMPLE_RATE // 2) / 14)).astype(np.int16)
    async with open_works(engine=EngineSettings(name="crayon")) as works:
        look = replace(LOOK, background="0b5c9c1e-6d0f-4a8e-9a53-6d6961000001")
        destination = await works.desk.order_sound(Order(works.account, look), hum.tobytes(), PCM)
        await works.job(destination, lambda job: job.state is JobState.DONE)
        assert await works.read(destination, MOVIE)
    said = caplog.text
    assert "background 0b5c9c1e-6d0f-4a8e-9a53-6d6961000001 is gone: left out" in said
    assert "engine crayon is not set up on this server: there are wav2lip; the mesh engine draws every mouth" in said
