"""`fieldfare device`: what concerns the machine that the service runs on."""
