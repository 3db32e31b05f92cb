"""The trainer's commands. A module is imported only when its command is called."""
