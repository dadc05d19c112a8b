"""A person's side of a command that runs: what it says, what it asks, and files by YMODEM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from terminal.console.command import one_answer
from terminal.console.prompt import Ended, Prompt
from terminal.console.transfer import receive, send
from terminal.console.wire import Wire


class PersonDialogue:
    """See `Dialogue`. ending: why the console is to stop, "" while it is not."""

    def __init__(self, wire: Wire, prompt: Prompt, ending: Callable[[], str]) -> None:
        self._wire, self._prompt, self._ending = wire, prompt, ending

    def say(self, text: str) -> None:
        """See `Dialogue.say`."""
        self._prompt.show(text.splitlines() or [""])
        self._wire.pause(0)

    def ask(self, question: str, answers: tuple[str, ...] = ("yes", "no")) -> str:
        """See `Dialogue.ask`. The beginning of an answer is enough when it begins only one."""
        message = f"{question} ({'/'.join(answers)}) "
        if len(message) + max(map(len, answers)) >= self._prompt.size.columns:
            self._prompt.show([question])
            message = f"{'/'.join(answers)}: "
        while True:
            if meant := one_answer(self._prompt.line(message), answers, begun=True):
                return meant

    def text(self, question: str) -> str:
        """See `Dialogue.text`."""
        return self._prompt.line(f"{question} ").strip()

    def secret(self, question: str) -> str:
        """See `Dialogue.secret`."""
        return self._prompt.secret(f"{question} ")

    def wait(self, seconds: float) -> None:
        """See `Dialogue.wait`."""
        self._wire.pause(seconds)
        if reason := self._ending():
            raise Ended(reason)

    def receive(self, directory: Path, limit: int) -> Path:
        """See `Dialogue.receive`."""
        self._begin(
            "Now send the file by YMODEM (picocom, if started with `--send-cmd sb`: C-a C-s; minicom: C-a S)."
        )
        return receive(self._wire, directory, limit=limit).path

    def send(self, file: Path) -> None:
        """See `Dialogue.send`."""
        self._begin(
            "Now receive the file by YMODEM (picocom, if started with `--receive-cmd rb`: C-a C-r;"
            " minicom: C-a R)."
        )
        send(self._wire, file)

    def _begin(self, text: str) -> None:
        """What was typed ahead is neither of the file nor a command after it: programs ask again."""
        self._wire.pause(0)
        self._prompt.discard()
        self._prompt.show([text, "Ctrl-C, twice if need be, gives it up."])
