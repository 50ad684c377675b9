"""Raw requests from files, and what comes back on the wire."""

import re
import socket
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPEAT = re.compile(r"\{([^{}]+?)\*(\d+)\}")
BYTE = re.compile(r"\\(x[0-9a-f]{2}|[nrt0])")
BYTES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
WAIT_S = 5.0
QUIET_S = 0.05


@dataclass(frozen=True)
class Case:
    """A raw request, with names to be filled in, and what may come of it."""

    title: str
    text: str
    statuses: tuple[tuple[int, ...], ...]
    is_closed: bool
    is_cut: bool

    @property
    def method(self) -> str:
        return self.text.split(" ", 1)[0]

    @property
    def path(self) -> str:
        first_line = self.text.partition("\r\n")[0]
        return first_line.partition(" ")[2].split(" ")[0].partition("?")[0]

    def filled(self, names: dict[str, str]) -> bytes:
        """The bytes to send."""
        text = self.text
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", value)
        text = BYTE.sub(lambda found: spelled(found[1]), text)
        text = REPEAT.sub(lambda found: found[1] * int(found[2]), text)
        return text.encode("latin-1")


def spelled(escape: str) -> str:
    return chr(int(escape[1:], 16)) if escape[0] == "x" else BYTES[escape]


def cases(name: str) -> list[Case]:
    """Those of a file, in its order."""
    blocks = (HERE / name).read_text().split("\n### ")[1:]
    return [case_of(*block.split("\n", 1)) for block in blocks]


def case_of(title: str, block: str) -> Case:
    request, expected = block.rsplit("\n=> ", 1)
    words = expected.strip()
    outcomes = words.removeprefix("cut, ").removesuffix(", closed").split(" then ")
    statuses = tuple(tuple(int(each) for each in one.split(" or ")) for one in outcomes)
    closed, cut = words.endswith(", closed"), words.startswith("cut, ")
    return Case(title, raw(request.split("\n")), statuses, closed, cut)


def raw(lines: list[str]) -> str:
    """CR LF at the end of lines, an empty one after the head."""
    if lines[-1].endswith("\\"):
        return "\r\n".join(lines)[:-1]
    end = lines.index("") if "" in lines else len(lines)
    return "\r\n".join(lines[:end]) + "\r\n\r\n" + "\r\n".join(lines[end + 1 :])


@dataclass(frozen=True)
class Answer:
    """All that came back, and whether the server hung up."""

    data: bytes
    is_closed: bool

    @property
    def statuses(self) -> list[int]:
        """Of each answer, one sent ahead (100) left out."""
        found = re.findall(rb"HTTP/1\.\d (\d{3}) ", self.data)
        return [int(each) for each in found if each != b"100"]


def talk(
    port: int, data: bytes, *, answers: int = 1, to_end: bool = False, cut: bool = False
) -> Answer:
    """What the server says to these bytes: so many answers, or all until it hangs up; `cut`: it is
    told that nothing more will come.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as link:
        try:
            link.sendall(data)
            if cut:
                link.shutdown(socket.SHUT_WR)
        except OSError:  # it has heard enough
            pass
        heard = Answer(b"", False)
        while not heard.is_closed:
            is_enough = len(heard.statuses) >= answers and is_whole(heard.data) and not to_end
            link.settimeout(QUIET_S if is_enough else WAIT_S)
            try:
                piece = link.recv(65_536)
            except TimeoutError:
                break
            except ConnectionResetError:
                piece = b""
            heard = Answer(heard.data + piece, not piece)
        return heard


def is_whole(data: bytes) -> bool:
    """Whether the last answer has all of its body."""
    head, _, body = data[data.rfind(b"HTTP/1.") :].partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")
