#include "learner/algorithms/trust_region/trpo.h"

#include <utility>

#include "common/status_macros.h"
#include "learner/algorithms/trust_region/natural_gradient.h"

namespace cadre {
namespace {

class Trpo final : public OnPolicyAlgorithm {
 public:
  Trpo(const TrpoConfig& config, std::unique_ptr<ActorCritic> model, Random random,
       const DeviceOptions& where)
      : config_(config),
        natural_(NaturalGradientOptionsOf(config), std::move(model), random, where) {}

  ActorCritic& model() override { return natural_.model(); }

  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override {
    Enter(UpdatePart::kPrepare);
    CADRE_RETURN_IF_ERROR(natural_.Begin(batch, collective()));
    Enter(UpdatePart::kBackward);
    CADRE_ASSIGN_OR_RETURN(const NaturalGradient::Direction direction, natural_.FindDirection());
    Enter(UpdatePart::kForward);
    CADRE_ASSIGN_OR_RETURN(const Accepted accepted, SearchAlong(direction));
    Enter(UpdatePart::kOptimize);
    Diagnostics diagnostics = {{"kl", accepted.outcome.kl},
                               {"surrogate_improvement", accepted.outcome.improvement},
                               {"step_scale", accepted.scale},
                               {"backtracks", static_cast<double>(accepted.backtracks)},
                               {"cg_residual", direction.squared_residual},
                               {"entropy", accepted.outcome.entropy}};
    CADRE_RETURN_IF_ERROR(natural_.FitValue(progress, diagnostics));
    return diagnostics;
  }

  DiagnosticNames diagnostic_names() const override {
    return {"kl",         "surrogate_improvement", "step_scale",
            "backtracks", "cg_residual",           "entropy",
            "value_loss", "explained_variance"};
  }

  void Save(TensorMap& state) const override { natural_.Save(state); }
  absl::Status Restore(const TensorMap& state) override { return natural_.Restore(state); }

 private:
  struct Accepted {
    NaturalGradient::Outcome outcome;
    double scale = 0;  // 0: none was.
    int backtracks = 0;
  };

  // The longest of the steps scale * backtrack_factor^i that improves the surrogate within
  // the bound; the old parameters where there is none. Learners in parallel accept the same,
  // as outcomes are of the steps of all.
  absl::StatusOr<Accepted> SearchAlong(const NaturalGradient::Direction& direction) {
    double scale = direction.scale;
    for (int i = 0; i <= config_.max_backtracks(); ++i, scale *= config_.backtrack_factor()) {
      CADRE_ASSIGN_OR_RETURN(const NaturalGradient::Outcome outcome,
                             natural_.MoveTo(direction, scale));
      // False for whatever is not a number.
      if (outcome.improvement > 0 && outcome.kl <= config_.max_kl())
        return Accepted{outcome, scale, i};
    }
    return Accepted{natural_.MoveBack(), 0, config_.max_backtracks()};
  }

  const TrpoConfig config_;
  NaturalGradient natural_;
};

}  // namespace

std::unique_ptr<OnPolicyAlgorithm> MakeTrpo(const TrpoConfig& config,
                                            std::unique_ptr<ActorCritic> model, Random random,
                                            const DeviceOptions& where) {
  return std::make_unique<Trpo>(config, std::move(model), random, where);
}

}  // namespace cadre
