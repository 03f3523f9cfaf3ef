#!/usr/bin/env python3
"""The dashboards as files: what a person, and Grafana, must be able to rely on."""

import itertools
import unittest

import yaml

from expressions import ROOT, all_panels, load_dashboards

GRAFANA = ROOT / "deploy" / "grafana"
# Of Grafana 10 and newer. Not: graph, singlestat, table-old, worldmap, ...
PANEL_TYPES = {"alertlist", "barchart", "bargauge", "gauge", "heatmap", "histogram", "piechart",
               "row", "stat", "state-timeline", "status-history", "table", "text", "timeseries"}
WITHOUT_NUMBERS = {"row", "text", "alertlist"}


def overlap(a, b):
    return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and
            a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])


class DashboardTest(unittest.TestCase):

    def each(self, without=frozenset()):
        dashboards = load_dashboards()
        self.assertTrue(dashboards)
        for dashboard in dashboards:
            panels = [p for p in all_panels(dashboard) if p["type"] not in without]
            self.assertTrue(panels)
            yield dashboard, panels

    def test_panels_have_ids_of_their_own(self):
        for _, panels in self.each():
            ids = [panel["id"] for panel in panels]
            self.assertEqual(len(ids), len(set(ids)))

    def test_panels_do_not_overlap_and_stay_on_the_grid(self):
        for _, panels in self.each():
            for panel in panels:
                grid = panel["gridPos"]
                self.assertTrue(grid["x"] >= 0 and grid["w"] > 0 and grid["h"] > 0 and
                                grid["x"] + grid["w"] <= 24, panel["title"])
            for a, b in itertools.combinations(panels, 2):
                self.assertFalse(overlap(a["gridPos"], b["gridPos"]),
                                 f"{a['title']!r} and {b['title']!r}")

    def test_panels_have_a_title_a_description_and_a_unit(self):
        for _, panels in self.each({"row"}):
            for panel in panels:
                self.assertTrue(panel["title"])
                self.assertGreater(len(panel.get("description", "")), 20, panel["title"])
                if panel["type"] not in WITHOUT_NUMBERS:
                    self.assertTrue(panel["fieldConfig"]["defaults"].get("unit"), panel["title"])

    def test_panels_are_of_types_that_grafana_still_has(self):
        for dashboard, panels in self.each():
            self.assertGreaterEqual(dashboard["schemaVersion"], 38)
            for panel in panels:
                self.assertIn(panel["type"], PANEL_TYPES, panel["title"])

    def test_targets_have_letters_of_their_own_and_the_chosen_source(self):
        for _, panels in self.each(WITHOUT_NUMBERS):
            for panel in panels:
                letters = [target["refId"] for target in panel["targets"]]
                self.assertTrue(letters, panel["title"])
                self.assertEqual(len(letters), len(set(letters)), panel["title"])
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"],
                                     {"type": "prometheus", "uid": "${datasource}"})

    def test_the_rows_are_the_four_questions(self):
        for dashboard, _ in self.each():
            rows = [p["title"] for p in dashboard["panels"] if p["type"] == "row"]
            self.assertEqual(rows, ["Now", "Is it learning?", "How fast?",
                                    "What is the bottleneck?", "Is anything wrong?"])

    def test_what_is_provisioned_fits_together(self):
        sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
        source, = sources["datasources"]
        for dashboard, _ in self.each():
            self.assertRegex(dashboard["uid"], r"^[a-z0-9-]{1,40}$")
            chosen, = [v for v in dashboard["templating"]["list"] if v["type"] == "datasource"]
            self.assertEqual(chosen["current"]["value"], source["uid"])
        # The shortest window of a rate must hold several scrapes.
        scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
        self.assertEqual(source["jsonData"]["timeInterval"], scraped["global"]["scrape_interval"])


if __name__ == "__main__":
    unittest.main()
