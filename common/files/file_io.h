// Whole files: read, written so that a reader or a crash never sees half of one,
// and checksummed. Errors are one line, "cannot write '/x/y': No space left on
// device": NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED (full), DATA_LOSS (the
// device failed), UNKNOWN. Any thread may call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cadre {

absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes a temporary file beside `path`, syncs it, renames it over `path` and
// syncs the folder. After any failure the old file is as it was and the temporary
// one is gone.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents);

// Writes all of `contents` to `fd`: 0 or errno. In pieces, each of which goes to the disk soon and
// is told to whoever waits for this process to save (stop_answer.h): so a sync at the end is short,
// and a large file is not taken for a process that hangs. `unsynced` counts over the calls for one
// file, from 0.
int WriteInPieces(int fd, absl::string_view contents, int64_t& unsynced);

// For files that are written piece by piece beside their place: gives the whole and synced
// file `from` the name `to`, in the same folder, and syncs that.
absl::Status RenameIntoPlace(const std::string& from, const std::string& to);

// The status of an errno: "cannot <action> '<path>': ...", with a code as above.
absl::Status FileError(absl::string_view action, const std::string& path, int error);

// `path` and the folders above it, where they are not there yet.
absl::Status MakeDirectories(const std::string& path);

// Names in a folder, sorted, without "." and "..".
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

// Removes `folder`/`name` and what is in it; OK where it is not there. `name` is
// one plain name (no '/', no "..": INVALID_ARGUMENT), so nothing outside `folder`
// can go. Symbolic links are removed, never followed.
absl::Status RemoveTree(const std::string& folder, const std::string& name);

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of `data`, continuing from the
// checksum of what came before it.
uint32_t Crc32c(absl::string_view data, uint32_t previous = 0);

namespace internal {
// The same on processors without instructions for it.
uint32_t Crc32cByTable(absl::string_view data, uint32_t previous = 0);
}  // namespace internal

}  // namespace cadre
