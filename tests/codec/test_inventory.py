from mouthpiece.codec.inventory import missing_encoders


def test_only_encoders_that_are_not_there_are_missing() -> None:
    assert missing_encoders(["libx264", "no-such-codec", "libvpx", "libopus", "aac"]) == ["no-such-codec"]


def test_a_codec_that_only_decodes_is_missing_as_an_encoder() -> None:
    assert missing_encoders(["mpegvideo"]) == ["mpegvideo"]
