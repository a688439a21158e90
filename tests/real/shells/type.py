"""Types lines into an interactive shell and reports what its completion made of them.

    type.py PROGRAM [ARGUMENT...] < lines

Each line of standard input is typed, then a tab for each tab it ends in, then Control-T, which the
shell's start-up file has bound to append the edited line to $OUT. Prints one JSON object a line:
what was typed, the line as the shell edited it, and everything the shell drew meanwhile.
"""

import json
import os
import pty
import select
import sys
import time

PATIENCE = 60.0
out = os.environ["OUT"]
lines = sys.stdin.read().splitlines()
open(out, "w").close()

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

seen = b""


def listen(seconds):
    """Reads what the shell draws, for at most this long or until it is quiet."""
    global seen
    ready, _, _ = select.select([terminal], [], [], seconds)
    if ready:
        seen += os.read(terminal, 65536)
    return bool(ready)


def edited(number):
    """The number-th line that Control-T wrote, or None while there is none."""
    with open(out, newline="") as file:
        all = file.read().split("\n")
    return all[number] if len(all) > number + 1 else None


def wait_for(number):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = edited(number)
        if found is not None:
            return found
        listen(0.05)
    os.kill(pid, 9)
    sys.exit(f"no answer to line {number}; the shell drew: {seen!r}")


try:
    # The start-up file writes one line when the shell is ready.
    wait_for(0)
    for number, line in enumerate(lines):
        seen = b""
        text = line.rstrip("\t")
        tabs = len(line) - len(text)
        os.write(terminal, text.encode())
        for tab in range(tabs):
            if tab > 0:
                # A second tab is another key only once the first is done.
                while listen(0.5):
                    pass
            os.write(terminal, b"\t")
        os.write(terminal, b"\x14")
        result = wait_for(number + 1)
        while listen(0.02):
            pass
        drawn = seen.decode(errors="replace")
        print(json.dumps({"typed": text, "edited": result, "drawn": drawn}), flush=True)
        # Control-C empties the line in all three, also a list of candidates.
        os.write(terminal, b"\x03")
        while listen(0.05):
            pass
finally:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
