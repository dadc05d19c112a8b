"""What prompt_toolkit is given: completions, how a secret looks, the wire as a screen, keys of no effect.

And what is taken from it again: it remembers more than a process that never ends can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.input.vt100_parser import _IS_PREFIX_OF_LONGER_MATCH_CACHE
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.layout.screen import _CHAR_CACHE
from prompt_toolkit.utils import _CHAR_SIZES_CACHE

from terminal.console.wire import Wire

# Where a paste begins and ends, as some clients mark it. Once one has begun prompt_toolkit hears nothing but
# its end, so noise, or a client that goes away in the middle, would make the console deaf for ever.
ANSI_SEQUENCES["\x1b[200~"] = ANSI_SEQUENCES["\x1b[201~"] = Keys.Ignore

_KEPT = 200  # lines
_REMEMBERED = 4000  # entries; people at work need some hundreds


class Recent(InMemoryHistory):
    """The newest lines of a session; noise makes as many as it likes."""

    def store_string(self, string: str) -> None:
        """See `History.store_string`."""
        self._storage = [*self._storage, string][-_KEPT:]
        del self._loaded_strings[_KEPT:]


class Completions(Completer):
    """What `words` gives for the text before the cursor: words and what each is."""

    def __init__(self, words: Callable[[str], Iterable[tuple[str, str]]]) -> None:
        self._words = words

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """See `Completer.get_completions`."""
        del complete_event
        before = document.text_before_cursor
        begun = "" if not before or before[-1].isspace() else before.split()[-1]
        for word, what in self._words(before):
            yield Completion(word + " ", start_position=-len(begun), display=word, display_meta=what)


def forget() -> None:
    """Empty what prompt_toolkit fills without a bound: texts it has measured, shown, or taken for half a key.

    Noise makes as many as it likes. To be called for every piece of what comes.
    """
    for known in (_CHAR_SIZES_CACHE, _IS_PREFIX_OF_LONGER_MATCH_CACHE, _CHAR_CACHE):
        if len(known) > _REMEMBERED:
            known.clear()
    if not _CHAR_CACHE:
        _CHAR_CACHE._keys.clear()


def ignore(event: KeyPressEvent) -> None:
    """Do nothing for a key."""
    del event


def _start(position: int) -> int:
    del position
    return 0


class Unseen(Processor):
    """Shows nothing of what is typed; the cursor stays where it is."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        del transformation_input
        return Transformation([], _start, _start)


class WireText:
    """The wire as the text file that prompt_toolkit writes to."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, wire: Wire) -> None:
        self._wire, self._text = wire, ""

    def write(self, text: str) -> int:
        self._text += text
        return len(text)

    def flush(self) -> None:
        text, self._text = self._text, ""
        if text:
            self._wire.write(text.encode("utf-8", "replace"))

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("not a file")
