#include "learner/run_folder/tensorboard.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "proto/tensorboard_event.pb.h"

namespace cadre {
namespace {

static_assert(std::endian::native == std::endian::little, "TFRecords are little-endian");

template <typename T>
absl::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// As TensorFlow stores checksums (lib/hash/crc32c.h), so that the checksum of data
// that itself holds checksums stays a good one.
uint32_t MaskedCrc32c(absl::string_view bytes) {
  return std::rotr(Crc32c(bytes), 15) + 0xA282EAD8u;
}

tensorboard::Event EventAt(absl::Time now) {
  tensorboard::Event event;
  event.set_wall_time(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
  return event;
}

absl::Status Append(AppendedFile& file, const tensorboard::Event& event) {
  return file.Append(TfRecord(event.SerializeAsString()));
}

}  // namespace

std::string TfRecord(absl::string_view payload) {
  const uint64_t length = payload.size();
  const uint32_t length_crc = MaskedCrc32c(BytesOf(length));
  const uint32_t payload_crc = MaskedCrc32c(payload);
  return absl::StrCat(BytesOf(length), BytesOf(length_crc), payload, BytesOf(payload_crc));
}

absl::StatusOr<std::unique_ptr<EventWriter>> EventWriter::Create(
    absl::string_view folder, absl::Time now, std::optional<int64_t> void_from_step) {
  // TensorBoard reads the files of a folder in the order of their names.
  const std::string prefix = absl::StrCat(
      folder, "/events.out.tfevents.", absl::Dec(absl::ToUnixSeconds(now), absl::kZeroPad10), ".");
  absl::StatusOr<std::unique_ptr<AppendedFile>> file;
  int n = 0;
  do {
    file = AppendedFile::CreateNew(absl::StrCat(prefix, absl::Dec(n++, absl::kZeroPad2)));
  } while (absl::IsAlreadyExists(file.status()));
  if (!file.ok()) return file.status();
  std::unique_ptr<EventWriter> writer(new EventWriter(*std::move(file)));

  tensorboard::Event event = EventAt(now);
  event.set_file_version("brain.Event:2");
  CADRE_RETURN_IF_ERROR(Append(*writer->file_, event));
  if (void_from_step) {
    event.set_step(*void_from_step);
    event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
    CADRE_RETURN_IF_ERROR(Append(*writer->file_, event));
  }
  return writer;
}

absl::Status EventWriter::Write(int64_t step, const Scalars& scalars, absl::Time now) {
  tensorboard::Event event = EventAt(now);
  event.set_step(step);
  for (const auto& [tag, value] : scalars) {
    tensorboard::Summary::Value* entry = event.mutable_summary()->add_value();
    entry->set_tag(tag);
    entry->set_simple_value(static_cast<float>(value));
  }
  return Append(*file_, event);
}

}  // namespace cadre
