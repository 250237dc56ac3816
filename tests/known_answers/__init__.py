"""Published and recomputed answers, the first thing an estimator is tested against."""

from tests.known_answers.digits import digits
from tests.known_answers.record import Record, record, records

__all__ = ["Record", "digits", "record", "records"]
