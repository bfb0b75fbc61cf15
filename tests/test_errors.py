"""The exception that users read crosses process borders whole."""

import pickle

from lodestone.errors import LodestoneError


def test_a_fault_is_pickled_whole():
    error = LodestoneError("row 3 is bad", "correct it")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is LodestoneError
    assert (copy.problem, copy.remedy, str(copy)) == (error.problem, error.remedy, str(error))
