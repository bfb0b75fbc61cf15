"""Recognizes out-of-memory errors from any library."""

_TEXTS = ("out of memory", "can't allocate memory", "cannot allocate memory")  # GPUs; torch on the CPU; the system


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out: from Python, numpy, torch on any device, or the system."""
    by_kind = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's, not imported here
    return by_kind or any(text in str(error).lower() for text in _TEXTS)
