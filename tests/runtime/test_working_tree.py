"""The code that runs is that of the working tree, where that has code."""

import pytest

from lodestone.errors import LodestoneError
from lodestone.runtime.working_tree import PACKAGE, refuse_foreign_package


def test_a_folder_without_code_may_be_run_by_any_installation(tmp_path):
    refuse_foreign_package(tmp_path)
    (tmp_path / "pipeline").mkdir()
    refuse_foreign_package(tmp_path)


def test_the_code_of_the_folder_may_run_by_whatever_path(tmp_path):
    refuse_foreign_package(PACKAGE.parents[1])
    (tmp_path / "link").symlink_to(PACKAGE.parents[1])
    refuse_foreign_package(str(tmp_path / "link"))


def test_a_copy_of_the_code_is_not_run_by_the_original(tmp_path):
    (tmp_path / "pipeline" / "lodestone").mkdir(parents=True)
    with pytest.raises(LodestoneError, match=r"own pipeline/lodestone, but the code that runs lies in") as refused:
        refuse_foreign_package(tmp_path)
    assert str(PACKAGE) in refused.value.problem
