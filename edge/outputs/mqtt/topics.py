"""Name topics and identifiers of one device."""

import hashlib
import re

# Home Assistant publishes `online` here when it starts, unless its user changed that.
HOME_ASSISTANT_STATUS = "homeassistant/status"


class Topics:
    """The topics of one device: PREFIX/DEVICE/..."""

    def __init__(self, prefix: str, device: str) -> None:
        self.base = base = f"{prefix}/{device}"
        self.event = f"{base}/event"
        self.gap = f"{base}/gap"
        self.state, self.picture, self.health, self.status = self.retained = retained_topics(base)


def retained_topics(base: str) -> tuple[str, str, str, str]:
    """Return the topics below PREFIX/DEVICE whose last message stays at the broker."""
    return f"{base}/state", f"{base}/picture", f"{base}/health", f"{base}/status"


def device_id(device: str) -> str:
    """Return an identifier for discovery: only letters, digits, _ and -, and different for different devices."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", device)
    if plain != device:
        plain += f"_{hashlib.sha256(device.encode()).hexdigest()[:6]}"
    return f"fieldfare_{plain}"


def discovery_topic(prefix: str, device: str) -> str:
    """Return the topic of the device's discovery document."""
    return f"{prefix}/device/{device_id(device)}/config"
