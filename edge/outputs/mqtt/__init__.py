"""Events to an MQTT broker, at least once and in order, with Home Assistant's device discovery."""
