"""BLAS runs in one thread inside the context, and as before outside."""

import numpy as np
from threadpoolctl import threadpool_info

from sklsq.solvers.blas import single_blas_thread


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_thread_inside_only():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    with single_blas_thread():
        assert set(threads()) <= {1}
        with single_blas_thread():
            assert set(threads()) <= {1}
        assert set(threads()) <= {1}
    assert threads() == before
