// Sizes of gRPC's HTTP/2 transport. With its defaults a stream of large messages stops
// after every 64 kB, which these avoid; build/bin/plain_stream_bench measures them.
// Bytes.
#pragma once

namespace cadre {

// Of one DATA frame that a peer may send us. A ping waits for at most one frame.
constexpr int kLargestFrame = 1 << 20;

// What a stream may send before its reader has asked for more. A server has many
// writers, which fill this much memory each while it holds them back.
constexpr int kClientReadAhead = 4 << 20;
constexpr int kServerReadAhead = 1 << 20;

// What a writer may have written before it waits for the transport, so that encoding
// goes on while the socket is busy.
constexpr int kWriteBuffer = 1 << 20;

}  // namespace cadre
