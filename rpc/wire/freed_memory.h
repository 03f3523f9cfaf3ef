// Large messages come and go in memory of a megabyte or more each, which glibc would
// give back to the kernel every time, for the kernel to clear and map it page by page
// again.
#pragma once

namespace cadre {

// From now on the process keeps what it frees, up to a bound, to use it again. SetUpGrpc calls
// it.
void KeepFreedMemory();

}  // namespace cadre
