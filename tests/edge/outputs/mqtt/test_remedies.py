"""Each reason why a broker cannot be reached comes with what to do."""

import errno
import os
import socket
import ssl

import pytest

from edge.outputs.mqtt.remedies import refusal, too_large, unanswered, unreachable, unwelcome


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED")
    error.verify_code, error.verify_message = code, message
    return error


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "encrypted", "words"),
    [
        (certificate_error(19, "self-signed"), True, "certificate is refused: self-signed: set ca in [mqtt]"),
        (certificate_error(62, "Hostname mismatch"), True, "set host in [mqtt] to a name that is in the certificate"),
        (certificate_error(10, "expired"), True, "set this device's clock, or renew the certificate"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), True, "set port in [mqtt] to the broker's port for TLS"),
        (system(errno.ECONNRESET), True, "set port in [mqtt] to the broker's port for TLS"),
        (system(errno.ECONNRESET), False, "Connection reset by peer: check host and port in [mqtt]"),
        (system(errno.ECONNREFUSED), False, "Connection refused: start the broker, or set port in [mqtt]"),
        (socket.gaierror(-2, "Name or service not known"), False, "Name or service not known: check host in [mqtt]"),
        (system(errno.EAFNOSUPPORT), False, "install systemd/outputs-network.conf"),
        (system(errno.EPERM), True, "install systemd/outputs-network.conf"),
        (system(errno.EHOSTUNREACH), False, "No route to host: check host and port in [mqtt], and the network"),
        (TimeoutError("timed out"), False, "timed out: check host and port in [mqtt], and the network"),
    ],
)
def test_a_connection_that_cannot_be_made(error: Exception, encrypted: bool, words: str) -> None:
    assert words in unreachable(error, encrypted=encrypted)


def test_a_broker_that_says_nothing_or_no() -> None:
    assert "set ca in [mqtt], or tls = true" in unanswered(encrypted=False)
    assert "set certificate and key in [mqtt]" in unanswered(encrypted=True)
    assert unwelcome("Not authorized", username=None) == "set username and password_file in [mqtt]"
    assert "check username = 'me' and the password" in unwelcome("Bad user name or password", username="me")
    assert unwelcome("Server busy", username="me") == "the broker's log has the reason"


def test_a_message_that_is_not_taken() -> None:
    assert "its access rules must allow this user to write there" in refusal("a/b", "Not authorized", 5)
    assert "raise its limit (message_size_limit) to 5000 or more" in refusal("a/b", "Packet too large", 5000)
    assert refusal("a/b", "Quota exceeded", 5).endswith("Quota exceeded: the broker's log has the reason")
    assert "raise its limit (max_packet_size) to 5000 or more" in too_large("a/b", 5000, 2000)
