#include "common/process/finish_watch.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/time/time.h"
#include "common/process/start_thread.h"
#include "common/status_macros.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<FinishWatch>> FinishWatch::Start(ParameterSource* source,
                                                                std::function<void(bool)> ended) {
  CADRE_ASSIGN_OR_RETURN(std::thread thread,
                         StartThread("finish-watch", [source, ended = std::move(ended)] {
                           constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
                           static_cast<void>(source->WaitNewer(kNever, absl::InfiniteDuration()));
                           ended(source->run_state() == v1::RUN_STATE_FINISHED);
                         }));
  return absl::WrapUnique(new FinishWatch(source, std::move(thread)));
}

FinishWatch::FinishWatch(ParameterSource* source, std::thread thread)
    : source_(source), thread_(std::move(thread)) {}

FinishWatch::~FinishWatch() {
  source_->Close();
  thread_.join();
}

}  // namespace cadre
