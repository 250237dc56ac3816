"""One BLAS thread inside block loops.

NumPy and SciPy each bundle an OpenBLAS with a thread pool of its own. On blocks that fit the cache
the pools gain nothing and, on a busy machine, wait for each other: small products were measured up
to 25 times slower.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

__all__ = ["single_blas_thread"]


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # asking the loader for the libraries takes milliseconds: once


def single_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS runs in the calling thread alone."""
    context: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return context
