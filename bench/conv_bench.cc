// Networks for images, forward (acting) and forward and backward (learning), on the CPU kernels
// and on LibTorch with one thread, in turns. A line for each work: microseconds of processor time
// for a batch, the least of the turns, and the median of the turns' ratios.
//   conv_bench [TURNS] [NETWORK]
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include "absl/strings/str_format.h"
#include "bench/conv_networks.h"
#include "bench/kernel_network.h"
#include "common/check.h"

namespace cadre {
namespace {

constexpr double kTurnSeconds = 0.1;

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Of all threads, so that other processes do not count.
double ProcessorSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Seconds for one call of `work`, over a turn.
template <typename F>
double Turn(F work) {
  const double begin = ProcessorSeconds();
  int64_t calls = 0;
  double seconds = 0;
  while (seconds < kTurnSeconds) {
    work();
    ++calls;
    seconds = ProcessorSeconds() - begin;
  }
  return seconds / static_cast<double>(calls);
}

template <typename Ours, typename Theirs>
void Compare(const std::string& work, int turns, Ours ours, Theirs theirs) {
  std::vector<double> cadre, torch, ratios;
  for (int turn = 0; turn < turns; ++turn) {
    cadre.push_back(Turn(ours));
    torch.push_back(Turn(theirs));
    ratios.push_back(torch.back() / cadre.back());
  }
  std::cout << absl::StreamFormat(
                   R"({"work": "%s", "cadre": %.1f, "peer": %.1f, "unit": "us", "ratio": %.2f})",
                   work, *std::min_element(cadre.begin(), cadre.end()) * 1e6,
                   *std::min_element(torch.begin(), torch.end()) * 1e6, Median(ratios))
            << std::endl;
}

// Where an input of a ReLU is nearly 0, one may have it on and the other off.
void CheckClose(const float* ours, const at::Tensor& theirs) {
  const at::Tensor expected = theirs.contiguous();
  const at::Tensor got = at::from_blob(const_cast<float*>(ours), expected.sizes());
  const double scale = expected.abs().max().item<double>();
  CADRE_CHECK((got - expected).abs().max().item<double>() <= 1e-2 * scale);
}

class Work {
 public:
  Work(const ImageNetwork& network, int64_t batch, int turns)
      : network_(network),
        batch_(batch),
        turns_(turns),
        weights_(RandomWeights(network, random_)),
        ours_(network, weights_, batch),
        theirs_(network, weights_),
        images_(
            at::empty({batch, network.input.channels, network.input.height, network.input.width},
                      at::kByte)) {
    auto* bytes = images_.data_ptr<uint8_t>();
    for (int64_t i = 0; i < images_.numel(); ++i) bytes[i] = static_cast<uint8_t>(random_());
    ours_.Pack();
  }

  void Act() {
    const at::NoGradGuard no_grad;
    const uint8_t* bytes = images_.data_ptr<uint8_t>();
    CheckClose(ours_.Forward(bytes, batch_, false), theirs_.Forward(images_));
    Compare(
        Name("forward"), turns_, [&] { ours_.Forward(bytes, batch_, false); },
        [&] { theirs_.Forward(images_); });
  }

  void Learn() {
    const uint8_t* bytes = images_.data_ptr<uint8_t>();
    std::vector<float> gradient(batch_ * ours_.outputs()), overwritten(gradient.size());
    for (float& value : gradient) value = static_cast<float>(random_.Normal());
    const at::Tensor output_gradient = at::tensor(gradient).reshape({batch_, ours_.outputs()});
    std::vector<at::Tensor> parameters = theirs_.parameters();
    for (at::Tensor& parameter : parameters) parameter.requires_grad_();
    const auto ours = [&] {
      ours_.Pack();  // After each step the weights are others.
      ours_.Forward(bytes, batch_, true);
      overwritten = gradient;
      ours_.Backward(bytes, batch_, overwritten.data());
    };
    const auto theirs = [&] { theirs_.Forward(images_).backward(output_gradient); };
    ours();
    theirs();
    const auto gradients = ours_.gradients();
    for (size_t i = 0; i < gradients.size(); ++i)
      CheckClose(gradients[i]->data(), parameters[i].grad());
    Compare(Name("forward and backward"), turns_, ours, theirs);
  }

 private:
  std::string Name(const std::string& pass) const {
    return absl::StrFormat("%s, batch %d, %s", network_.name, batch_, pass);
  }

  Random random_{1};
  const ImageNetwork network_;
  const int64_t batch_;
  const int turns_;
  const Weights weights_;
  KernelNetwork ours_;
  TorchNetwork theirs_;
  const at::Tensor images_;
};

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  at::set_num_threads(1);
  const int turns = argc > 1 ? std::stoi(argv[1]) : 11;
  const std::string wanted = argc > 2 ? argv[2] : "";
  const cadre::ImageNetwork networks[] = {cadre::NatureNetwork(), cadre::MinAtarNetwork(),
                                          cadre::ImpalaNetwork()};
  for (const cadre::ImageNetwork& network : networks) {
    if (!wanted.empty() && network.name != wanted) continue;
    const bool impala = network.name == "impala";
    for (const int64_t batch : {1, 8, 32, 256})
      if (!impala || batch <= 32) cadre::Work(network, batch, turns).Act();
    for (const int64_t batch : {32, 256})
      if (!impala || batch <= 32) cadre::Work(network, batch, turns).Learn();
  }
}
