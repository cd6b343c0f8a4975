"""Text from files that a user supplies: whole, bounded, or one line that says what is wrong."""
import gzip
import json
import os
import zlib
from collections import Counter


def text_of(path, problem, most=2**26):
    """The text of a regular file of at most so many bytes (64 MiB), unzipped if it is zipped;
    ValueError in one line begins with `problem`."""
    try:
        text = content_of(os.path.expanduser(path), most).decode("utf-8-sig")
        zero = text.find("\0")
        if zero >= 0 or not text.strip():
            raise ValueError(f"no text (byte {zero})" if zero >= 0 else "it is empty")
        return text
    except (EOFError, OSError, ValueError, zlib.error) as error:  # no UTF-8, no name of a file
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{problem}cannot be read: {why}") from None


def object_of(path, problem):
    """The JSON object in a file that `text_of` reads; ValueError in one line as there."""
    try:
        found = json.loads(text_of(path, ""), object_pairs_hook=once)
    except (ValueError, LookupError, RecursionError) as error:
        why = str(error).splitlines()[0].removeprefix("cannot be read: ")[:80]
        raise ValueError(f"{problem}cannot be read as JSON: {why}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{problem}must hold a JSON object")
    return found


def once(pairs):
    """An object of JSON as a dict; LookupError by a key that it has twice."""
    if len(found := dict(pairs)) < len(pairs):
        (key, _), = Counter(key for key, _ in pairs).most_common(1)
        raise LookupError(f"key {key[:40]!r} is there twice in one object")
    return found


def content_of(path, most):
    """The bytes of a regular file, read piece by piece; OSError if they are more than `most`."""
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would never end
        raise OSError(0, "it is no regular file")
    content = bytearray()
    with open(path, "rb") as file:
        zipped = file.peek(2)[:2] == b"\x1f\x8b"
        source = gzip.GzipFile(fileobj=file) if zipped else file
        while piece := source.read(2**20):
            content += piece
            if len(content) > most:
                raise OSError(0, f"it has more than {most:,} bytes" + zipped * " unpacked")
    return content
