// Counts the parts of an algorithm's update as stages of the learner's time.
#pragma once

#include "learner/algorithms/diagnostics.h"
#include "learner/loop/batch_learner.h"

namespace cadre {

class PartTimes final : public UpdateListener {
 public:
  // `times` must outlive it.
  explicit PartTimes(LearnTimes* times) : times_(times) {}

  void Enter(UpdatePart part) override {
    switch (part) {
      case UpdatePart::kPrepare:
        return times_->Enter(LearnStage::kPrepare);
      case UpdatePart::kForward:
        return times_->Enter(LearnStage::kForward);
      case UpdatePart::kLoss:
        return times_->Enter(LearnStage::kLoss);
      case UpdatePart::kBackward:
        return times_->Enter(LearnStage::kBackward);
      case UpdatePart::kOptimize:
        return times_->Enter(LearnStage::kOptimize);
    }
  }

 private:
  LearnTimes* const times_;
};

}  // namespace cadre
