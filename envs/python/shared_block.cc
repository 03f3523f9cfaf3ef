#include "envs/python/shared_block.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

struct Header {
  uint64_t magic = 0x5652444143454E56;
  uint32_t version = kPythonProtocol;
};

// Arrays begin at cache lines of their own.
constexpr int64_t kAlignment = 64;

}  // namespace

BlockLayout::BlockLayout(const EnvironmentSpec& spec, int64_t count) : count(count) {
  bytes = sizeof(Header);
  const auto place = [this](int64_t size) {
    const int64_t offset = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    bytes = offset + size;
    return offset;
  };
  actions = place(count * spec.action.bytes());
  for (int64_t* flags : {&stepped, &skipped, &terminated, &truncated}) *flags = place(count);
  rewards = place(count * static_cast<int64_t>(sizeof(float)));
  seeds = place(count * static_cast<int64_t>(sizeof(int64_t)));
  const auto columns = ShownColumns(spec.observation, spec.action);
  for (const ObservationColumn& column : columns)
    observations.push_back(place(count * column.bytes()));
  for (const ObservationColumn& column : columns)
    final_observations.push_back(place(count * column.bytes()));
}

std::string LayoutJson(const BlockLayout& layout) {
  return nlohmann::json({{"count", layout.count},
                         {"bytes", layout.bytes},
                         {"offsets",
                          {{"actions", layout.actions},
                           {"stepped", layout.stepped},
                           {"skipped", layout.skipped},
                           {"terminated", layout.terminated},
                           {"truncated", layout.truncated},
                           {"rewards", layout.rewards},
                           {"seeds", layout.seeds},
                           {"observations", layout.observations},
                           {"final_observations", layout.final_observations}}}})
      .dump();
}

absl::StatusOr<int> OpenSharedMemory() {
  const int file = ::memfd_create("cadre-environments", MFD_CLOEXEC);
  if (file >= 0) return file;
  return absl::ResourceExhaustedError(
      absl::StrCat("shared memory for environments: ", std::strerror(errno)));
}

absl::StatusOr<std::unique_ptr<SharedBlock>> SharedBlock::Create(int file,
                                                                 const EnvironmentSpec& spec,
                                                                 int64_t count) {
  BlockLayout layout(spec, count);
  void* begin = MAP_FAILED;
  if (::ftruncate(file, layout.bytes) == 0)
    begin = ::mmap(nullptr, layout.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (begin == MAP_FAILED)
    return absl::ResourceExhaustedError(absl::StrCat(
        "shared memory of ", layout.bytes, " bytes for environments: ", std::strerror(errno)));
  const Header header;
  std::memcpy(begin, &header, sizeof(header));
  return absl::WrapUnique(new SharedBlock(std::move(layout), spec, static_cast<std::byte*>(begin)));
}

SharedBlock::SharedBlock(BlockLayout layout, const EnvironmentSpec& spec, std::byte* begin)
    : layout_(std::move(layout)),
      begin_(begin),
      action_bytes_(layout_.count * spec.action.bytes()) {
  const auto columns = ShownColumns(spec.observation, spec.action);
  for (size_t c = 0; c < columns.size(); ++c) {
    const size_t bytes = layout_.count * columns[c].bytes();
    observations_.emplace_back(begin_ + layout_.observations[c], bytes);
    final_observations_.emplace_back(begin_ + layout_.final_observations[c], bytes);
  }
}

SharedBlock::~SharedBlock() { ::munmap(begin_, layout_.bytes); }

}  // namespace cadre
