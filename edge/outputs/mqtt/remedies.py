"""Name the remedy beside the reason why nothing, or not all, reaches a broker. Pure."""

import errno
import socket
import ssl

_NO_NETWORK = (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT)
# OpenSSL's codes: another name, another address; not valid yet, expired.
_OTHER_NAME, _OTHER_TIME = (62, 64), (9, 10)
_LOGIN = ("Not authorized", "Bad user name or password", "Bad authentication method")


def unreachable(error: Exception, *, encrypted: bool) -> str:
    """Return why a connection could not be made, and what to do. encrypted: it was to be."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is refused: {error.verify_message}: {_certificate_fix(error.verify_code)}"
    if isinstance(error, ssl.SSLError) or (encrypted and isinstance(error, ConnectionResetError)):
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        return (
            f"no encrypted connection: {reason}: set port in [mqtt] to the broker's port for TLS (usually 8883), "
            "or remove tls, ca and certificate if it has none"
        )
    return f"{getattr(error, 'strerror', None) or error}: {_network_fix(error)}"


def _certificate_fix(code: int) -> str:
    if code in _OTHER_NAME:
        return "set host in [mqtt] to a name that is in the certificate"
    if code in _OTHER_TIME:
        return "set this device's clock, or renew the certificate"
    return "set ca in [mqtt] to the certificate of the authority that signed it"


def _network_fix(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "check host in [mqtt] and this device's name server; an address such as 192.168.1.10 needs none"
    if isinstance(error, ConnectionRefusedError):
        return "start the broker, or set port in [mqtt] to the one on which it listens"
    if isinstance(error, OSError) and error.errno in _NO_NETWORK:
        return "lend the network to the outputs: install systemd/outputs-network.conf with the broker's address in it"
    return "check host and port in [mqtt], and the network between here and there"


def unanswered(*, encrypted: bool) -> str:
    """Return what to do if a connection ends, or stays silent, before the broker's answer."""
    # With TLS 1.3 a certificate that the broker does not take, or misses, ends it here.
    if encrypted:
        return "if the broker wants a certificate from this device, set certificate and key in [mqtt], or right ones"
    return "if the broker wants TLS, set ca in [mqtt], or tls = true; is port that of an MQTT broker?"


def unwelcome(words: str, *, username: str | None) -> str:
    """Return what to do if the broker refuses the connection in these words."""
    if words not in _LOGIN:
        return "the broker's log has the reason"
    if username is None:
        return "set username and password_file in [mqtt]"
    return f"check username = {username!r} and the password in password_file in [mqtt]"


def refusal(topic: str, words: str, size: int) -> str:
    """Return why the broker does not take a message of this size, in its words, and what to do."""
    if words == "Not authorized":
        fix = "its access rules must allow this user to write there"
    elif words == "Packet too large":
        fix = f"raise its limit (message_size_limit) to {size} or more"
    else:
        fix = "the broker's log has the reason"
    return f"the broker does not take messages to {topic}: {words}: {fix}"


def too_large(topic: str, size: int, most: int) -> str:
    """Return that a message is larger than the broker takes, and what to do."""
    return (
        f"a message to {topic} has {size} bytes, and the broker takes at most {most}: raise its limit "
        f"(max_packet_size) to {size} or more"
    )
