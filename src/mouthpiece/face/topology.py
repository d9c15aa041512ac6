"""The 478-point face landmark format: which index means what, and how the points make triangles.

Indices are those of the public face-mesh format (468 surface points, then five points for each iris). The surface has
852 triangles and three holes: the two eyes and the mouth. "Right" is the person's right, the left of the picture.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

SURFACE_POINTS: Final = 468
LANDMARKS: Final = 478
IRIS_RIGHT: Final = 468  # centre; the four rim points follow
IRIS_LEFT: Final = 473

# Lip rows from the right mouth corner to the left one, 11 columns each, outer to inner and inner to outer.
UPPER_OUTER: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
UPPER_2: Final = (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306)
UPPER_1: Final = (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292)
UPPER_INNER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LOWER_1: Final = (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292)
LOWER_2: Final = (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306)
LOWER_OUTER: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
ABOVE_LIP: Final = (57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287)
BELOW_LIP: Final = (57, 43, 106, 182, 83, 18, 313, 406, 335, 273, 287)

# Eyes: lid edges and the rings around them, from the outer corner to the inner corner.
EYE_R_UPPER: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133)
EYE_R_LOWER: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133)
EYE_L_UPPER: Final = (263, 466, 388, 387, 386, 385, 384, 398, 362)
EYE_L_LOWER: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362)
LID_R_UPPER: Final = (130, 247, 30, 29, 27, 28, 56, 190, 243)
LID_L_UPPER: Final = (359, 467, 260, 259, 257, 258, 286, 414, 463)
LID_R_LOWER: Final = (130, 25, 110, 24, 23, 22, 26, 112, 243)
LID_L_LOWER: Final = (359, 255, 339, 254, 253, 252, 256, 341, 463)
ORBIT_R_UPPER: Final = (226, 113, 225, 224, 223, 222, 221, 189, 244)
ORBIT_L_UPPER: Final = (446, 342, 445, 444, 443, 442, 441, 413, 464)
ORBIT_R_LOWER: Final = (226, 31, 228, 229, 230, 231, 232, 233, 244)
ORBIT_L_LOWER: Final = (446, 261, 448, 449, 450, 451, 452, 453, 464)

BROW_R_UPPER: Final = (70, 63, 105, 66, 107)
BROW_R_LOWER: Final = (46, 53, 52, 65, 55)
BROW_L_UPPER: Final = (300, 293, 334, 296, 336)
BROW_L_LOWER: Final = (276, 283, 282, 295, 285)
BROWS: Final = BROW_R_UPPER + BROW_R_LOWER + BROW_L_UPPER + BROW_L_LOWER

# fmt: off
OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
NOSE: Final = (
    1, 4, 5, 195, 197, 6, 168, 2, 98, 327, 94, 97, 326, 48, 278, 64, 294, 129, 358, 219, 439, 49, 279,
    122, 351, 196, 419, 3, 248, 51, 281, 45, 275,
)
CHIN: Final = (200, 199, 175, 83, 18, 313, 201, 421, 208, 428, 171, 396, 140, 369, 32, 262, 194, 418, 182, 406)
# fmt: on

SMOOTH_CHAINS: Final = (
    *(UPPER_OUTER, UPPER_2, UPPER_1, UPPER_INNER, LOWER_INNER, LOWER_1, LOWER_2, LOWER_OUTER),
    *(EYE_R_UPPER, EYE_R_LOWER, EYE_L_UPPER, EYE_L_LOWER),
    *(LID_R_UPPER, LID_R_LOWER, LID_L_UPPER, LID_L_LOWER),
    (*OVAL, OVAL[0]),
)
"""Rows whose midpoints are curved when the mesh is refined, so that contours stay smooth."""


def triangles() -> NDArray[np.int32]:
    """The format's triangles over its 468 surface points, shape (852, 3)."""
    with (files(__package__) / "landmark_triangles.npy").open("rb") as file:
        return np.asarray(np.load(file), np.int32)
