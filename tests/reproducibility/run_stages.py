"""Run some stages of the campaign in the working directory, in this one process, and hash what they write.

``python run_stages.py STAGES_FOLDER STAGE...`` prints JSON: MD5 by path.
"""

import contextlib
import hashlib
import json
import runpy
import sys
from pathlib import Path


def main() -> None:
    stages, names = Path(sys.argv[1]), sys.argv[2:]
    with contextlib.redirect_stdout(sys.stderr):
        for name in names:
            sys.argv = [f"{name}.py"]
            runpy.run_path(str(stages / f"{name}.py"), run_name="__main__")
    written = sorted(path for folder in ("data", "metrics") for path in Path(folder).rglob("*") if path.is_file())
    print(json.dumps({str(path): hashlib.md5(path.read_bytes()).hexdigest() for path in written}))


if __name__ == "__main__":
    main()
