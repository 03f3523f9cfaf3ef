#include "common/config/algorithm_traits.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::OneofDescriptor;

const OneofDescriptor& Algorithms() {
  return *ExperimentConfig::descriptor()->FindOneofByName("algorithm");
}

const AlgorithmTraits& TraitsOf(const FieldDescriptor& algorithm) {
  return algorithm.message_type()->options().GetExtension(cadre::algorithm);
}

const AlgorithmTraits& NoAlgorithm() {
  static const AlgorithmTraits& none = *new AlgorithmTraits([] {
    AlgorithmTraits traits;
    traits.set_experience(AlgorithmTraits::QUEUE);
    traits.set_policy(AlgorithmTraits::ACTOR_CRITIC);
    return traits;
  }());
  return none;
}

}  // namespace

const AlgorithmTraits& TraitsOf(const ExperimentConfig& config) {
  const FieldDescriptor* const algorithm =
      config.GetReflection()->GetOneofFieldDescriptor(config, &Algorithms());
  return algorithm == nullptr ? NoAlgorithm() : TraitsOf(*algorithm);
}

bool Allows(const AlgorithmTraits& traits, AlgorithmTraits::Actions actions) {
  return absl::c_linear_search(traits.actions(), actions);
}

std::string AlgorithmsOf(absl::FunctionRef<bool(const AlgorithmTraits&)> holds) {
  std::vector<std::string> names;
  for (int i = 0; i < Algorithms().field_count(); ++i)
    if (holds(TraitsOf(*Algorithms().field(i)))) names.push_back(Algorithms().field(i)->name());
  return absl::StrJoin(names, ", ");
}

}  // namespace cadre
