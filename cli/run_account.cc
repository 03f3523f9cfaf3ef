#include "cli/run_account.h"

#include "absl/strings/str_cat.h"
#include "cli/replay_account.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "rpc/server/server_info.h"

namespace cadre {

template <typename Info>
absl::StatusOr<Info> RunAccount::Ask(absl::StatusOr<Info> (*fetch)(const std::string& address,
                                                                   absl::Duration patience,
                                                                   CallGroup* calls),
                                     const std::string& address) const {
  if (!servers_.stopping()) {
    absl::StatusOr<Info> info = fetch(address, servers_.patience, servers_.calls);
    if (info.ok() || !servers_.stopping()) return info;
  }
  return fetch(address, servers_.stop_patience, nullptr);  // A stop has closed the calls.
}

absl::StatusOr<std::string> RunAccount::Write() const {
  CADRE_ASSIGN_OR_RETURN(const v1::InfoResponse info,
                         Ask(&FetchReplayInfo, servers_.replay_address));
  const bool table = UsesReplay(config_);
  const int wanted = table ? 1 : LearnerCount(config_);
  if ((table ? info.tables_size() : info.queues_size()) != wanted)
    return absl::InternalError(absl::StrCat("the replay server has ", info.queues_size(),
                                            " queues and ", info.tables_size(), " tables; wanted ",
                                            wanted, table ? " table" : " queues"));
  std::string account;
  if (PushesGradients(config_)) {
    CADRE_ASSIGN_OR_RETURN(account, WriteGradients());
  }
  const v1::QueueInfo queues = SumOfQueues(info);
  account += table ? TableAccountLine(info.tables(0)) : QueueAccountLine(queues);
  CADRE_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(run_folder_, table ? "/table.json" : "/queue.json"),
                          table ? AccountJson(info.tables(0)) : AccountJson(queues)));
  return account;
}

absl::StatusOr<std::string> RunAccount::WriteGradients() const {
  CADRE_ASSIGN_OR_RETURN(const v1::ParameterInfoResponse info,
                         Ask(&FetchParameterInfo, servers_.parameter_address));
  for (const v1::ModelInfo& model : info.models()) {
    if (model.model() != ModelName(config_)) continue;
    CADRE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(run_folder_, "/gradients.json"), AccountJson(model)));
    return GradientAccountLine(model) + "\n";
  }
  return absl::InternalError(
      absl::StrCat("the parameter server has no model '", ModelName(config_), "'"));
}

}  // namespace cadre
