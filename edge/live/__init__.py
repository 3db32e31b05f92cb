"""What the worker and the pages exchange about the newest picture: two kinds of small files, each with one writer."""
