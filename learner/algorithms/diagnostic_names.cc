#include "learner/algorithms/diagnostic_names.h"

namespace cadre {

DiagnosticNames PpoDiagnosticNames(const PpoConfig& config) {
  DiagnosticNames names = {
      "policy_loss",        "value_loss",    "entropy",       "approx_kl",  "clip_fraction",
      "explained_variance", "gradient_norm", "learning_rate", "clip_range", "epochs"};
  if (config.objective() == PpoConfig::ADAPTIVE_KL) names.insert(names.end(), {"kl", "kl_beta"});
  return names;
}

DiagnosticNames DqnDiagnosticNames() {
  return {"value_loss", "error", "target_value", "gradient_norm", "learning_rate"};
}

DiagnosticNames SacDiagnosticNames() {
  return {"policy_loss",          "value_loss",         "mean_q", "entropy", "temperature",
          "policy_gradient_norm", "value_gradient_norm"};
}

DiagnosticNames DeterministicDiagnosticNames() {
  return {"policy_loss", "value_loss", "mean_q", "policy_gradient_norm", "value_gradient_norm"};
}

}  // namespace cadre
