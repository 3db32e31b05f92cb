"""Prepare fitted pictures for the network, as the bundle lists."""
