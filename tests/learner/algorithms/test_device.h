// The device that tests of tensor operations run on.
#pragma once

#include <cstdlib>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/device_options.h"

namespace cadre {

// That of CADRE_TEST_DEVICE, "cpu" where it is not set. What is not recorded there fails the test.
inline DeviceOptions TestDevice() {
  DeviceOptions options;
  const char* const name = std::getenv("CADRE_TEST_DEVICE");
  if (name != nullptr) options.device = torch::Device(name);
  options.tensor_operations = true;
  options.on_fallback = [](absl::string_view reason) {
    ADD_FAILURE() << "not recorded: " << reason;
  };
  return options;
}

}  // namespace cadre
