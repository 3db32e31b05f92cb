"""Watch a power supply that announces its end, and write everything before it comes. Processes of their own."""
