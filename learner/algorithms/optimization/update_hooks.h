// What the training loop gives to an algorithm of any kind: somebody who listens, and the
// other learners. Not thread-safe.
#pragma once

#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

class UpdateHooks {
 public:
  virtual ~UpdateHooks() = default;

  // `listener` may be null and must outlive the algorithm.
  virtual void set_listener(UpdateListener* listener) { listener_ = listener; }

  // Of learners that move one model together, each with a share of every batch: what depends
  // on the whole batch, such as the moments of the advantages, is of all of them. Null, as at
  // first: this learner is alone. Must outlive the algorithm.
  virtual void set_collective(Collective* collective) { collective_ = collective; }

  // Of every number that an update may report, in their order: the columns of progress.csv,
  // which are known before the first update.
  virtual DiagnosticNames diagnostic_names() const = 0;

 protected:
  Collective* collective() const { return collective_; }
  void Enter(UpdatePart part) {
    if (listener_ != nullptr) listener_->Enter(part);
  }

 private:
  UpdateListener* listener_ = nullptr;
  Collective* collective_ = nullptr;
};

}  // namespace cadre
