// A plan as people and as programs read it. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/plan_model.h"

namespace cadre {

struct PlanReport {
  std::string experiment;   // Its name.
  std::string algorithm;    // "ppo"
  std::string environment;  // Its id.
  std::string mode;         // "embedded", "processes" or "cluster"
  PlanCosts costs;
  PlanShape shape;
  PlanMachines machines;
  Plan plan;
  std::vector<std::string> notes;  // What is given instead of measured, or left out.
};

// Ends with a line break.
std::string PlanText(const PlanReport& report);
// One line.
std::string PlanJson(const PlanReport& report);

}  // namespace cadre
