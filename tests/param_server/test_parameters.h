// Small versions for tests: `count` values that all equal the version.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/ports.h"

namespace cadre {

inline std::string ValuesBytes(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

inline std::shared_ptr<v1::Parameters> MakeParameters(int64_t version, int64_t count = 4) {
  auto parameters = std::make_shared<v1::Parameters>();
  parameters->set_model("policy");
  parameters->set_version(version);
  parameters->set_values(ValuesBytes(std::vector<float>(count, static_cast<float>(version))));
  parameters->set_layout_fingerprint(0xABCD);
  parameters->set_env_steps(version * 100);
  return parameters;
}

}  // namespace cadre
