"""A renderer that shows one segment, counts its starts in a file beside the face, and then does as its name says."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

task = json.loads(sys.stdin.readline())
folder = Path(task["folder"])
(folder / "output00000.ts").write_bytes(b"segment")
(folder / "output.m3u8").write_text("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:4.0,\noutput00000.ts\n")
sys.stdout.write(json.dumps({"done": 0.1}) + "\n")
sys.stdout.flush()
match sys.argv[1]:
    case "dies":
        os.kill(os.getpid(), 9)
    case "refuses":
        sys.stdout.write(json.dumps({"error": "no emotion grumpy"}) + "\n")
        sys.stdout.flush()
    case "babbles":
        sys.stdout.write("not json\n")
        sys.stdout.flush()
threading.Event().wait()
