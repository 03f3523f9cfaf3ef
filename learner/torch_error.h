// What LibTorch throws where it cannot go on, as a status: one line, without its stack.
#pragma once

#include <exception>
#include <new>
#include <string>

#include <c10/util/Exception.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cadre {

inline std::string ReasonOf(const std::exception& error) {
  std::string text = error.what();
  if (const auto* torch_error = dynamic_cast<const c10::Error*>(&error))
    text = torch_error->what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

// RESOURCE_EXHAUSTED where memory ran out, the device's or the host's; else INTERNAL.
inline absl::Status StatusOf(const std::exception& error) {
  const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
                      dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  return absl::Status(memory ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal,
                      absl::StrCat("an update could not be computed: ", ReasonOf(error)));
}

}  // namespace cadre
