// The random numbers of Cadre: xoshiro256** (Blackman and Vigna 2018), seeded by
// splitmix64. Small, fast, the same on every machine, unlike the distributions of
// <random>. Not thread-safe: each owner has its own. Satisfies
// UniformRandomBitGenerator.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace cadre {

class Random {
 public:
  using result_type = uint64_t;
  using State = std::array<uint64_t, 4>;

  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) word = SplitMix(seed);
  }

  // An independent stream: the same (seed, stream...) gives the same numbers.
  static Random ForStream(uint64_t seed, uint64_t stream, uint64_t substream = 0) {
    uint64_t mix = seed;
    mix = SplitMix(mix) ^ (stream * 0x9E3779B97F4A7C15ull);
    mix = SplitMix(mix) ^ (substream * 0xD1B54A32D192ED03ull);
    return Random(SplitMix(mix));
  }

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

  uint64_t operator()() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, 1), 53 bits.
  double Uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  // Uniform in [low, high).
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // Uniform in [0, 1), 24 bits.
  float UniformFloat() { return static_cast<float>((*this)() >> 40) * 0x1.0p-24f; }

  // Uniform in [0, bound), bound >= 1 (Lemire 2019).
  uint64_t Below(uint64_t bound) {
    unsigned __int128 product = static_cast<unsigned __int128>((*this)()) * bound;
    if (static_cast<uint64_t>(product) < bound) {
      const uint64_t threshold = (0 - bound) % bound;
      while (static_cast<uint64_t>(product) < threshold)
        product = static_cast<unsigned __int128>((*this)()) * bound;
    }
    return static_cast<uint64_t>(product >> 64);
  }

  // Standard normal (Box and Muller 1958). Keeps no spare: its state is four words.
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * Uniform());
  }

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  static uint64_t SplitMix(uint64_t& x) {
    uint64_t z = (x += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  State state_;
};

}  // namespace cadre
