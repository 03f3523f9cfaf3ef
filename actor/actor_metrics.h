// What an actor shows Prometheus: cadre_actor_*, read from its loop when asked for.
// Thread-safe.
#pragma once

#include <vector>

#include "actor/act_loop.h"
#include "prometheus/registry.h"

namespace cadre {

class ActorMetrics final : public prometheus::Registry {
 public:
  // `loop` must outlive it.
  explicit ActorMetrics(const ActLoop* loop) : loop_(loop) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const ActLoop* const loop_;
};

}  // namespace cadre
