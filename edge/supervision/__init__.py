"""The process that decides: it starts the worker, judges it, repairs what it can and reports how the service is."""
