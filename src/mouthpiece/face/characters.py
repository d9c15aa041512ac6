"""The people we draw: invented, resembling nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mouthpiece.face.colour import Colour, mix
from mouthpiece.face.proportions import Proportions


@dataclass(frozen=True, slots=True)
class Character:
    """Colours (RGB 0..255), style and proportions of one drawn person."""

    seed: int
    skin: Colour
    shade: Colour  # what shadows turn the skin to
    hair: Colour
    shine: Colour  # where the hair catches the light
    iris: Colour
    lips: Colour
    blush: Colour
    cloth: Colour
    backdrop: tuple[Colour, Colour]  # near the light, away from it
    style: str  # "bob", "short", "waves", "receding" or "coils"
    neckline: str  # "blazer" or "crew"
    neck: float = 36.0  # half-width in mm
    shoulders: float = 128.0
    lash: float = 1.9  # thickness of the upper lash line in mm
    wing: float = 0.0  # length of the outer lashes
    brow: float = 0.75  # thickness of the brows
    blush_alpha: float = 55.0
    stubble: float = 0.0
    beard: float = 0.0  # density of a full one, 0..1
    age: float = 0.0  # depth of wrinkles, 0..1
    folds: float = 30.0  # opacity of the nasolabial folds
    gloss: float = 80.0
    glasses: Colour | None = None
    proportions: Proportions = field(default_factory=Proportions)

    def dark(self, share: float) -> Colour:
        """The skin in shadow."""
        return mix(self.skin, self.shade, share)

    def light(self, share: float) -> Colour:
        """The skin in light."""
        return mix(self.skin, (255.0, 249.0, 238.0), share)


MIA: Final = Character(
    seed=11,
    skin=(243, 204, 181),
    shade=(150, 74, 60),
    hair=(112, 64, 40),
    shine=(206, 150, 104),
    iris=(84, 122, 96),
    lips=(204, 96, 96),
    blush=(234, 118, 106),
    cloth=(44, 98, 116),
    backdrop=((230, 236, 240), (146, 166, 182)),
    style="bob",
    neckline="blazer",
    neck=33.0,
    shoulders=122.0,
    lash=1.9,
    wing=1.0,
    brow=0.62,
    proportions=Proportions(
        cheek=63.5, jaw=1.92, chin=46.0, eye=15.2, eye_up=8.9, eye_low=3.3, iris=6.8, nose=15.0, corner=2.2
    ),
)

NOAH: Final = Character(
    seed=23,
    skin=(201, 147, 112),
    shade=(96, 42, 28),
    hair=(40, 30, 27),
    shine=(122, 100, 88),
    iris=(92, 60, 36),
    lips=(170, 98, 86),
    blush=(196, 96, 74),
    cloth=(58, 68, 92),
    backdrop=((243, 230, 211), (190, 152, 118)),
    style="short",
    neckline="crew",
    neck=43.0,
    shoulders=138.0,
    lash=1.35,
    brow=1.05,
    blush_alpha=26.0,
    stubble=46.0,
    folds=46.0,
    gloss=36.0,
    proportions=Proportions(
        cheek=66.0, jaw=2.22, chin=50.0, eye=14.4, eye_up=7.4, eye_low=2.8, eye_tilt=0.6, brow=-76.5, brow_arch=2.6,
        brow_weight=5.6, nose=17.5, mouth=26.5, upper_lip=5.2, lower_lip=8.0, bow=1.1, corner=1.2, iris=6.4,
    ),
)  # fmt: skip

ADA: Final = Character(
    seed=37,
    skin=(137, 90, 66),
    shade=(48, 18, 16),
    hair=(34, 25, 26),
    shine=(118, 92, 84),
    iris=(74, 46, 30),
    lips=(156, 72, 70),
    blush=(172, 66, 54),
    cloth=(204, 130, 52),
    backdrop=((219, 233, 219), (112, 148, 128)),
    style="waves",
    neckline="crew",
    neck=34.0,
    shoulders=122.0,
    lash=1.9,
    wing=1.0,
    brow=0.72,
    blush_alpha=40.0,
    gloss=84.0,
    glasses=(40, 33, 36),
    proportions=Proportions(
        cheek=63.5, jaw=1.95, chin=46.5, eye=15.0, eye_up=8.6, eye_low=3.2, iris=6.8, nose=17.5, mouth=26.0,
        upper_lip=8.6, lower_lip=11.0, bow=1.7, corner=2.0,
    ),
)  # fmt: skip

WALTER: Final = Character(
    seed=53,
    skin=(226, 182, 158),
    shade=(136, 72, 58),
    hair=(168, 168, 170),
    shine=(238, 238, 240),
    iris=(86, 112, 138),
    lips=(188, 120, 110),
    blush=(216, 122, 106),
    cloth=(70, 78, 88),
    backdrop=((233, 229, 222), (150, 146, 140)),
    style="receding",
    neckline="blazer",
    neck=40.0,
    shoulders=132.0,
    lash=0.95,
    brow=0.95,
    blush_alpha=46.0,
    stubble=20.0,
    folds=92.0,
    gloss=26.0,
    age=1.0,
    proportions=Proportions(
        cheek=66.5, jaw=2.16, chin=51.0, eye=13.8, eye_up=6.8, eye_low=3.0, eye_tilt=0.2, brow=-75.5, brow_arch=3.0,
        brow_weight=5.2, nose=18.6, mouth=25.5, upper_lip=4.2, lower_lip=6.6, bow=0.8, corner=0.4, iris=6.2,
    ),
)  # fmt: skip

ZOLA: Final = Character(
    seed=61,
    skin=(104, 66, 48),
    shade=(34, 14, 14),
    hair=(38, 27, 24),
    shine=(112, 80, 62),
    iris=(58, 36, 24),
    lips=(140, 62, 66),
    blush=(150, 54, 50),
    cloth=(226, 218, 204),
    backdrop=((244, 214, 190), (196, 132, 104)),
    style="coils",
    neckline="crew",
    neck=32.5,
    shoulders=119.0,
    lash=2.0,
    wing=1.1,
    brow=0.78,
    blush_alpha=34.0,
    folds=18.0,
    gloss=92.0,
    proportions=Proportions(
        cheek=63.0, jaw=1.98, chin=45.5, eye=15.4, eye_up=8.8, eye_low=3.2, eye_tilt=1.8, brow=-78.0, iris=6.8,
        nose=18.4, mouth=26.0, upper_lip=9.4, lower_lip=11.6, bow=1.9, corner=2.0,
    ),
)  # fmt: skip

RAVI: Final = Character(
    seed=71,
    skin=(178, 124, 90),
    shade=(80, 34, 24),
    hair=(34, 28, 28),
    shine=(112, 104, 102),
    iris=(70, 44, 28),
    lips=(158, 92, 82),
    blush=(170, 84, 64),
    cloth=(46, 84, 70),
    backdrop=((226, 236, 240), (126, 152, 164)),
    style="short",
    neckline="blazer",
    neck=42.0,
    shoulders=136.0,
    lash=1.5,
    brow=1.12,
    blush_alpha=22.0,
    folds=40.0,
    gloss=34.0,
    beard=1.0,
    age=0.38,
    proportions=Proportions(
        cheek=65.0, jaw=2.12, chin=51.0, eye=14.6, eye_up=7.8, eye_low=3.0, eye_tilt=0.8, brow=-76.0, brow_arch=3.2,
        brow_weight=6.0, nose=18.2, mouth=25.5, upper_lip=5.6, lower_lip=8.4, bow=1.2, corner=1.2, iris=6.5,
    ),
)  # fmt: skip

CHARACTERS: Final = {"mia": MIA, "noah": NOAH, "ada": ADA, "walter": WALTER, "zola": ZOLA, "ravi": RAVI}
