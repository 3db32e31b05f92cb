"""Camtrap DP 1.0.2: the exchange format of camera traps, which GBIF takes."""
