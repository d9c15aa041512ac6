import pytest

from mouthpiece.transport.turn import TurnAddress, turn_address


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("turn:turn.example.org", TurnAddress("turn.example.org", 3478, tcp=False, tls=False)),
        (" turn:192.0.2.1:4000 ", TurnAddress("192.0.2.1", 4000, tcp=False, tls=False)),
        ("turn:turn.example.org?transport=tcp", TurnAddress("turn.example.org", 3478, tcp=True, tls=False)),
        ("turn:turn.example.org:99?transport=udp", TurnAddress("turn.example.org", 99, tcp=False, tls=False)),
        ("turns:turn.example.org", TurnAddress("turn.example.org", 5349, tcp=True, tls=True)),
        ("turn:[2001:db8::1]:3479", TurnAddress("2001:db8::1", 3479, tcp=False, tls=False)),
    ],
)
def test_addresses_are_read(uri: str, address: TurnAddress) -> None:
    assert turn_address(uri) == address


@pytest.mark.parametrize("uri", ["", "turn:", "stun:x", "turn://x", "turn:x:y", "turn:x?transport=sctp", "turn:a b"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is not a TURN address"):
        turn_address(uri)
