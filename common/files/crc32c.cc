#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/files/file_io.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace cadre {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, bits reversed.

// kTable[k][b]: what byte b does to the checksum k bytes later ("slicing by 8").
using Table = std::array<std::array<uint32_t, 256>, 8>;

constexpr Table MakeTable() {
  Table table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    table[0][byte] = crc;
  }
  for (size_t k = 1; k < table.size(); ++k)
    for (size_t byte = 0; byte < 256; ++byte)
      table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 0xFF];
  return table;
}
constexpr Table kTable = MakeTable();

uint32_t ExtendByTable(uint32_t crc, const char* data, size_t size) {
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);  // Little-endian, as everything of ours.
    word ^= crc;
    crc = 0;
    for (int k = 0; k < 8; ++k) crc ^= kTable[7 - k][(word >> (8 * k)) & 0xFF];
  }
  for (; size > 0; ++data, --size)
    crc = (crc >> 8) ^ kTable[0][(crc ^ static_cast<uint8_t>(*data)) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t ExtendBySse42(uint32_t crc, const char* data,
                                                         size_t size) {
  uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; ++data, --size) crc = _mm_crc32_u8(crc, static_cast<uint8_t>(*data));
  return crc;
}
#endif

}  // namespace

uint32_t Crc32c(absl::string_view data, uint32_t previous) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~ExtendBySse42(~previous, data.data(), data.size());
#endif
  return internal::Crc32cByTable(data, previous);
}

uint32_t internal::Crc32cByTable(absl::string_view data, uint32_t previous) {
  return ~ExtendByTable(~previous, data.data(), data.size());
}

}  // namespace cadre
