#!/usr/bin/env python3
"""The unit tests of the alerts: there is one of each, firing and not, and it can fail.
Needs promtool on the PATH."""

import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

from expressions import PROMETHEUS, metric_names, rule_groups, rules

ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
TESTS = yaml.safe_load((PROMETHEUS / "tests/alerts_test.yml").read_text())
INVERTED = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}


def tests_pass(rule, expression):
    """Whether the tests of this alert pass where its expression is another. It is alone with
    the recording rules, and so are they: all the rest takes its time and cannot fail."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "recording.yml").write_bytes((PROMETHEUS / "rules/recording.yml").read_bytes())
        alone = {"groups": [{"name": "alone", "rules": [{**rule, "expr": expression}]}]}
        (folder / "alert.yml").write_text(yaml.safe_dump(alone))
        recording = rule_groups(PROMETHEUS / "rules/recording.yml")
        order = [group["name"] for group in recording] + ["alone"]
        tests = [test for test in TESTS["tests"]
                 if any(c["alertname"] == rule["alert"] for c in test["alert_rule_test"])]
        (folder / "test.yml").write_text(yaml.safe_dump(
            {**TESTS, "rule_files": ["recording.yml", "alert.yml"], "group_eval_order": order,
             "tests": tests}))
        return subprocess.run(["promtool", "test", "rules", str(folder / "test.yml")],
                              capture_output=True, check=False).returncode == 0


def inverted(expression):
    """With each comparison outside strings and selectors turned round."""
    parts = re.split(r"(\{[^}]*\})", expression)
    return "".join(part if part.startswith("{") else
                   re.sub(r"[<>]=?|[!=]=", lambda m: INVERTED[m.group()], part) for part in parts)


class EvaluationOrderTest(unittest.TestCase):
    """promtool evaluates the groups of a test file in random order unless the file says which.
    A rule that reads another group's recording rule would then see its new value or the one
    before, by chance."""

    def test_each_test_file_evaluates_what_is_recorded_before_what_reads_it(self):
        for path in sorted((PROMETHEUS / "tests").glob("*_test.yml")):
            test = yaml.safe_load(path.read_text())
            groups = [group for file in test["rule_files"]
                      for group in rule_groups(path.parent / file)]
            order = test["group_eval_order"]
            self.assertEqual(sorted(order), sorted(group["name"] for group in groups), path.name)
            rules_in_order = [rule for name in order for group in groups if group["name"] == name
                              for rule in group["rules"]]
            recorded = {rule["record"] for rule in rules_in_order if "record" in rule}
            for rule in rules_in_order:
                early = metric_names(rule["expr"]) & recorded
                self.assertFalse(early, f"{path.name}: {rule} reads what is recorded later")
                recorded.discard(rule.get("record"))


class AlertsTest(unittest.TestCase):

    def test_each_says_how_bad_it_is_and_what_to_do(self):
        for name, rule in ALERTS.items():
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"), name)
            self.assertRegex(str(rule["for"]), r"^[1-9]\d*[sm]$", name)
            self.assertTrue(rule["annotations"]["summary"], name)
            # One or two sentences.
            self.assertRegex(rule["annotations"]["description"], r"^[^.]+(\.[^.]+){0,6}\.$", name)

    def test_each_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(self):
        fires, rests = set(), set()
        for test in TESTS["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case["exp_alerts"] else rests).add(case["alertname"])
        self.assertEqual(fires, set(ALERTS))
        self.assertEqual(rests, set(ALERTS))

    def test_the_tests_see_that_an_alert_is_inverted_or_silent(self):
        for name, rule in ALERTS.items():
            right = rule["expr"]
            self.assertTrue(tests_pass(rule, right), name)
            self.assertNotEqual(inverted(right), right, name)
            for wrong in (inverted(right), f"({right}) and vector(1) > 2"):
                self.assertFalse(tests_pass(rule, wrong), f"{name}: {wrong}")


if __name__ == "__main__":
    unittest.main()
