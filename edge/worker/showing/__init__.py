"""Show the newest picture to people who look at this moment; costs nothing while nobody does."""
