"""The error tree: every leaf has a code and words of its own."""

from collections.abc import Iterator

from mouthpiece import errors


def leaves(cls: type[errors.MouthpieceError]) -> Iterator[type[errors.MouthpieceError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from leaves(sub)


def test_every_error_has_its_own_code_and_says_something() -> None:
    tree = list(leaves(errors.MouthpieceError))
    assert len({e.code for e in tree}) == len(tree)
    assert all(e.text and e.__doc__ for e in tree)


def test_facts_fill_the_text() -> None:
    error = errors.InvalidFace(face_id="nobody")
    assert error.facts == {"face_id": "nobody"}
    assert str(error) == "no face nobody: GET /faces lists yours"
