"""What the pages have done beside them: commands of Fieldfare in child processes, bounded, one at a time."""
