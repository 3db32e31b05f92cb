"""A worker in a process of its own, and the supervisor's end of its line in a test."""

import os

from scripted import wait_until

from edge.processes.child import Child
from edge.processes.messages import Message, pair


class Line:
    """A worker, and what it has said so far.

    pictures: the content of the files beside each message that had any, by the message's place in `said`.
    """

    def __init__(self, parent: int, module: str = "edge.worker.main") -> None:
        self.channel, theirs = pair()
        with theirs:
            self.child = Child(module, [str(theirs.fileno()), str(parent)], pass_fds=[theirs.fileno()])
        self.said: list[Message] = []
        self.pictures: dict[int, list[bytes]] = {}

    def hear(self) -> bool:
        """Take in what waits; False once it has hung up."""
        self.child.relay()
        try:
            while (received := self.channel.receive_with_files()) is not None:
                message, files = received
                if files:
                    self.pictures[len(self.said)] = [_content(file) for file in files]
                self.said.append(message)
        except EOFError:
            return False
        return True

    def heard(self, kind: type[Message], count: int = 1) -> Message:
        """The last of so many messages of that kind."""

        def enough() -> bool:
            self.hear()
            return len(self.all(kind)) >= count

        assert wait_until(enough), f"{self.said}\n{self.child.tail}"
        return self.all(kind)[count - 1]

    def all(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.said if isinstance(message, kind)]

    def last_words(self) -> Message:
        """The last message, after which it ends with status 0."""
        assert wait_until(lambda: not self.hear())
        assert self.child.wait(5.0)
        assert self.child.exit_status() == 0
        return self.said[-1]

    def close(self) -> None:
        self.child.kill()
        self.child.wait(5.0)
        self.child.close()
        self.channel.close()


def _content(file: int) -> bytes:
    with os.fdopen(file, "rb") as opened:
        return opened.read()
