"""From the store to files that other programs read: tables, Camtrap DP, folders for training, boxes."""
