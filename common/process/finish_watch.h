// Calls back once when the run is FINISHED or its source is closed, on a thread of its own:
// for who may be waiting for something else then.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "common/ports.h"

namespace cadre {

class FinishWatch {
 public:
  // `ended` gets whether the run is FINISHED. `source` must outlive this. RESOURCE_EXHAUSTED
  // where there is no thread for it.
  static absl::StatusOr<std::unique_ptr<FinishWatch>> Start(ParameterSource* source,
                                                            std::function<void(bool)> ended);
  ~FinishWatch();  // Closes the source, and joins.
  FinishWatch(const FinishWatch&) = delete;
  FinishWatch& operator=(const FinishWatch&) = delete;

 private:
  FinishWatch(ParameterSource* source, std::thread thread);

  ParameterSource* const source_;
  std::thread thread_;
};

}  // namespace cadre
