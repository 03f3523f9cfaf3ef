#include "cli/replay_account.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/run_topology.h"
#include "google/protobuf/descriptor.h"
#include "nlohmann/json.hpp"

namespace cadre {

std::string QueueAccountLine(const v1::QueueInfo& queue) {
  return absl::StrFormat(
      "queue: %d rollouts appended = %d acknowledged + %d dropped as stale + %d leased + %d "
      "waiting; %d duplicates ignored, %d refused, %d returned by a consumer",
      queue.appended_rollouts(), queue.acknowledged_rollouts(), queue.dropped_stale_rollouts(),
      queue.leased_rollouts(), queue.waiting_rollouts(), queue.duplicate_rollouts(),
      queue.refused_rollouts(), queue.returned_rollouts());
}

v1::QueueInfo SumOfQueues(const v1::InfoResponse& info) {
  using google::protobuf::FieldDescriptor;
  v1::QueueInfo sum;
  const google::protobuf::Reflection& reflection = *sum.GetReflection();
  for (const v1::QueueInfo& queue : info.queues()) {
    for (int i = 0; i < v1::QueueInfo::descriptor()->field_count(); ++i) {
      const FieldDescriptor* field = v1::QueueInfo::descriptor()->field(i);
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64)
        reflection.SetInt64(&sum, field,
                            reflection.GetInt64(sum, field) + reflection.GetInt64(queue, field));
    }
  }
  // These are no counts.
  sum.set_newest_version(0);
  sum.set_max_version_lag(0);
  for (const v1::QueueInfo& queue : info.queues()) {
    sum.set_run_id(queue.run_id());
    sum.set_newest_version(std::max(sum.newest_version(), queue.newest_version()));
    sum.set_max_version_lag(std::max(sum.max_version_lag(), queue.max_version_lag()));
  }
  sum.set_name(kOnPolicyQueue);
  return sum;
}

std::string TableAccountLine(const v1::TableInfo& table) {
  std::string line = absl::StrFormat(
      "table: %d steps inserted in %d rollouts; %d duplicates ignored, %d refused, %d lost; %d "
      "items sampled",
      table.inserted_steps(), table.inserted_rollouts(), table.duplicate_rollouts(),
      table.refused_rollouts(), table.lost_rollouts(), table.sampled_items());
  if (table.samples_per_insert() > 0)
    absl::StrAppendFormat(&line, ", %.3g per insert (wanted %.3g)",
                          table.observed_samples_per_insert(), table.samples_per_insert());
  return line;
}

std::string GradientAccountLine(const v1::ModelInfo& model) {
  const int64_t pushed = model.applied_gradients() + model.refused_gradients() +
                         model.duplicate_gradients() + model.broken_gradients();
  return absl::StrFormat(
      "gradients: %d pushed = %d applied + %d refused as too old + %d duplicates + %d broken; "
      "largest lag %d; %d steps",
      pushed, model.applied_gradients(), model.refused_gradients(), model.duplicate_gradients(),
      model.broken_gradients(), model.max_gradient_lag(), model.env_steps());
}

std::string AccountJson(const google::protobuf::Message& info) {
  using google::protobuf::FieldDescriptor;
  nlohmann::ordered_json json;
  const google::protobuf::Reflection& reflection = *info.GetReflection();
  for (int i = 0; i < info.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = info.GetDescriptor()->field(i);
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        json[field->name()] = reflection.GetString(info, field);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        json[field->name()] = reflection.GetDouble(info, field);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        json[field->name()] = reflection.GetEnum(info, field)->name();
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        json[field->name()] = reflection.GetBool(info, field);
        break;
      default:
        json[field->name()] = reflection.GetInt64(info, field);
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace cadre
