"""From a solution to statements about it: errors, intervals, reports."""
