"""What `lodestone init` writes goes into the wheel as data of the package; the repository holds each file once."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TEMPLATE = ("params.yaml", "dvc.yaml", "stages/*.py", "reference/crystals.parquet", "snapshot.version")


class BuildWithTemplate(build_py):
    """Copies the template beside the modules; an editable installation finds it in the checkout."""

    def run(self) -> None:
        """Build."""
        super().run()
        if not self.editable_mode:
            for path in (found for pattern in TEMPLATE for found in sorted(Path().glob(pattern))):
                target = Path(self.build_lib, "lodestone", "template", path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(cmdclass={"build_py": BuildWithTemplate})
