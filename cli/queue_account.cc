#include "cli/queue_account.h"

#include "absl/strings/str_format.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
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

std::string QueueAccountJson(const v1::QueueInfo& queue) {
  nlohmann::ordered_json json;
  const google::protobuf::Descriptor* descriptor = queue.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = descriptor->field(i);
    if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING)
      json[field->name()] = queue.GetReflection()->GetString(queue, field);
    else
      json[field->name()] = queue.GetReflection()->GetInt64(queue, field);
  }
  return json.dump(2) + "\n";
}

}  // namespace cadre
