#!/usr/bin/env python3
"""What the checks of deploy/ take for an expression's metrics and operands."""

import unittest

from expressions import metric_names, operands, substitute


class MetricNamesTest(unittest.TestCase):

    def test_of_selectors_functions_and_aggregations(self):
        for text, names in {
            'a_total': {"a_total"},
            'rate(a_total{x="b"}[5m])': {"a_total"},
            'sum by (run, stage) (rate(a[1m])) / on (run) group_left (x) count(b)': {"a", "b"},
            'sum(a) by (run)': {"a"},
            'cadre:x:ratio{y=~"c|d"} > 0.5 and time() - e < 900': {"cadre:x:ratio", "e"},
            'max_over_time(a[6h]) unless on (run) b == bool 1': {"a", "b"},
            'histogram_quantile(0.5, sum by (le) (rate(a_bucket[5m] offset 1h)))': {"a_bucket"},
            'vector(0) or 2 * NaN': set(),
        }.items():
            self.assertEqual(metric_names(text), names, text)

    def test_what_is_no_promql(self):
        with self.assertRaises(ValueError):
            metric_names("rate(a[5m]) ; b")


class OperandsTest(unittest.TestCase):

    def test_are_what_stands_between_comparisons_and_sets(self):
        for text, parts in {
            "a": ["a"],
            "a > 0.5": ["a"],
            "a > b or c < 5 * d": ["a", "b", "c", "5 * d"],
            "(a > 2) and (b)": ["a", "b"],
            "((a) == bool 1) unless on (run) (b == 1)": ["a", "b"],
            "a / on (run) group_left (b) c >= d": ["a / on (run) group_left (b) c", "d"],
            'count by (run) (up{x="=="} == 1) != 3': ['count by (run) (up{x="=="} == 1)'],
            "time() - a < 900": ["time() - a"],
            "(a) - (b) > 1": ["(a) - (b)"],
            "1 > 2": [],
        }.items():
            self.assertEqual(operands(text), parts, text)


class SubstituteTest(unittest.TestCase):
    VARIABLES = {"run": {"multi": True, "allValue": ".*"}, "source": {"multi": False}}

    def substitute(self, text, **values):
        return substitute(text, self.VARIABLES, values)

    def test_as_grafana_does(self):
        self.assertEqual(self.substitute('a{run=~"$run"}', run="All"), 'a{run=~".*"}')
        self.assertEqual(self.substitute('a{run=~"${run}"}', run=["x"]), 'a{run=~"x"}')
        self.assertEqual(self.substitute('a{run=~"$run"}', run=["x", "10.0"]),
                         r'a{run=~"(x|10\\.0)"}')
        self.assertEqual(self.substitute("$source", source=["a.b"]), "a.b")
        self.assertEqual(self.substitute("rate(a[$__rate_interval])", __rate_interval="20s"),
                         "rate(a[20s])")

    def test_a_variable_that_there_is_not(self):
        with self.assertRaises(KeyError):
            self.substitute("$ran", run="All")


if __name__ == "__main__":
    unittest.main()
