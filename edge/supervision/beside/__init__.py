"""Run what the service needs beside its worker, each in a process of its own that nothing waits for."""
