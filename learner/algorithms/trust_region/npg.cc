#include "learner/algorithms/trust_region/npg.h"

#include <utility>

#include "common/status_macros.h"
#include "learner/algorithms/trust_region/natural_gradient.h"

namespace cadre {
namespace {

class Npg final : public OnPolicyAlgorithm {
 public:
  Npg(const NpgConfig& config, std::unique_ptr<ActorCritic> model, Random random,
      const DeviceOptions& where)
      : natural_(NaturalGradientOptionsOf(config), std::move(model), random, where) {}

  ActorCritic& model() override { return natural_.model(); }

  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override {
    Enter(UpdatePart::kPrepare);
    CADRE_RETURN_IF_ERROR(natural_.Begin(batch, collective()));
    Enter(UpdatePart::kBackward);
    CADRE_ASSIGN_OR_RETURN(const NaturalGradient::Direction direction, natural_.FindDirection());
    Enter(UpdatePart::kForward);
    CADRE_ASSIGN_OR_RETURN(const NaturalGradient::Outcome moved,
                           natural_.MoveTo(direction, direction.scale));
    Enter(UpdatePart::kOptimize);
    Diagnostics diagnostics = {{"kl", moved.kl},
                               {"surrogate_improvement", moved.improvement},
                               {"step_scale", direction.scale},
                               {"cg_residual", direction.squared_residual},
                               {"entropy", moved.entropy}};
    CADRE_RETURN_IF_ERROR(natural_.FitValue(progress, diagnostics));
    return diagnostics;
  }

  DiagnosticNames diagnostic_names() const override {
    return {"kl",         "surrogate_improvement", "step_scale", "cg_residual", "entropy",
            "value_loss", "explained_variance"};
  }

  void Save(TensorMap& state) const override { natural_.Save(state); }
  absl::Status Restore(const TensorMap& state) override { return natural_.Restore(state); }

 private:
  NaturalGradient natural_;
};

}  // namespace

std::unique_ptr<OnPolicyAlgorithm> MakeNpg(const NpgConfig& config,
                                           std::unique_ptr<ActorCritic> model, Random random,
                                           const DeviceOptions& where) {
  return std::make_unique<Npg>(config, std::move(model), random, where);
}

}  // namespace cadre
