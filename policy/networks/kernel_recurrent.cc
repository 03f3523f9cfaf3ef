// GRU and LSTM layers on the CPU kernels: one product for the inputs of all steps, and then step
// by step; backward through time, and one product for each weight.
#include <algorithm>

#include "policy/networks/kernel_operation.h"

namespace cadre {
namespace {

class KernelRecurrent final : public KernelOperation {
 public:
  KernelRecurrent(const Recurrent& layer, OperationSite site)
      : layer_(layer),
        site_(site),
        lstm_(layer.kind == Recurrent::kLstm),
        units_(layer.units),
        gate_rows_(layer.gates() * layer.units),
        x_(site.operation.operands[0]),
        state_(site.operation.operands[1]),
        starts_(site.operation.operands[2]) {}

  void Forward(PassRows& rows, int64_t, int64_t batch) override {
    const kernels::KernelTable& kernel = kernels::Best();
    const int64_t sequences = rows.sequences();
    float* const out = rows.Result(site_.value);
    Room(hidden_, batch * units_);
    Room(gates_, batch * gate_rows_);
    if (lstm_) {
      Room(cells_, batch * units_);
      Room(next_cells_, batch * units_);
      Room(next_hidden_, sequences * units_);
    } else {
      Room(hidden_gates_, batch * gate_rows_);
    }
    kernel.gemm_packed(batch, gate_rows_, layer_.inputs, {rows.Floats(x_), layer_.inputs, 1},
                       site_.weights.packed[0].data(), gates_.data(), gate_rows_,
                       site_.weights.bias.data(), /*accumulate=*/false);
    for (int64_t first = 0; first < batch; first += sequences) {
      const float* const before = first == 0 ? rows.Floats(state_) + layer_.state_offset
                                             : out + (first - sequences) * site_.operation.size;
      const int64_t stride = first == 0 ? rows.RowSize(state_) : site_.operation.size;
      Enter(before, stride, rows.Floats(starts_) + first, first, sequences);
      if (lstm_)
        LstmStep(first, sequences, out);
      else
        GruStep(first, sequences, out);
    }
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const kernels::KernelTable& kernel = kernels::Best();
    const int64_t batch = rows.batch(), sequences = rows.sequences();
    for (std::vector<float>* carried : {&d_hidden_, &d_cell_})
      carried->assign(sequences * units_, 0.0f);
    for (int64_t first = batch - sequences; first >= 0; first -= sequences) {
      if (lstm_)
        LstmStepBack(first, sequences, gradient);
      else
        GruStepBack(first, sequences, gradient);
      kernel.gemm(sequences, units_, gate_rows_, {HiddenGates(first), gate_rows_, 1},
                  gradients.parameters(layer_.weight_hh), units_, d_hidden_.data(), units_,
                  /*bias=*/nullptr, /*accumulate=*/!lstm_);
      // A state that was reset does not depend on the step before.
      for (int64_t s = 0; s < sequences; ++s) {
        if (rows.Floats(starts_)[first + s] == 0) continue;
        std::fill_n(&d_hidden_[s * units_], units_, 0.0f);
        std::fill_n(&d_cell_[s * units_], units_, 0.0f);
      }
    }
    if (float* const d_weight_ih = gradients.gradient(layer_.weight_ih); d_weight_ih != nullptr) {
      kernel.gemm(gate_rows_, layer_.inputs, batch, {gates_.data(), 1, gate_rows_}, rows.Floats(x_),
                  layer_.inputs, d_weight_ih, layer_.inputs, nullptr, true);
      kernel.gemm(gate_rows_, units_, batch, {HiddenGates(0), 1, gate_rows_}, hidden_.data(),
                  units_, gradients.gradient(layer_.weight_hh), units_, nullptr, true);
      kernel.column_sums(batch, gate_rows_, gates_.data(), gradients.gradient(layer_.bias_ih));
      kernel.column_sums(batch, gate_rows_, HiddenGates(0), gradients.gradient(layer_.bias_hh));
    }
    if (gradients.wanted(x_)) {
      const PassGradients::Destination to = gradients.DestinationOf(x_);
      kernel.gemm(batch, layer_.inputs, gate_rows_, {gates_.data(), gate_rows_, 1},
                  gradients.parameters(layer_.weight_ih), layer_.inputs, to.rows, layer_.inputs,
                  /*bias=*/nullptr, to.add);
    }
  }

 private:
  // Copies the state before the rows from `first` on, 0 for those that start.
  void Enter(const float* before, int64_t stride, const float* starts, int64_t first,
             int64_t sequences) {
    for (int64_t s = 0; s < sequences; ++s) {
      const auto copy = [&](const float* from, float* to) {
        if (starts[s] != 0)
          std::fill_n(to, units_, 0.0f);
        else
          std::copy_n(from, units_, to);
      };
      copy(before + s * stride, &hidden_[(first + s) * units_]);
      if (lstm_) copy(before + s * stride + units_, &cells_[(first + s) * units_]);
    }
  }

  void GruStep(int64_t first, int64_t sequences, float* out) {
    const kernels::KernelTable& kernel = kernels::Best();
    const float* const hidden = &hidden_[first * units_];
    float* const hidden_gates = &hidden_gates_[first * gate_rows_];
    kernel.gemm_packed(sequences, gate_rows_, units_, {hidden, units_, 1},
                       site_.weights.packed[1].data(), hidden_gates, gate_rows_,
                       &site_.weights.bias[gate_rows_], /*accumulate=*/false);
    kernel.gru(sequences, units_, &gates_[first * gate_rows_], hidden_gates, hidden,
               out + first * units_);
  }

  void LstmStep(int64_t first, int64_t sequences, float* out) {
    const kernels::KernelTable& kernel = kernels::Best();
    float* const gates = &gates_[first * gate_rows_];
    float* const next_cells = &next_cells_[first * units_];
    kernel.gemm_packed(sequences, gate_rows_, units_, {&hidden_[first * units_], units_, 1},
                       site_.weights.packed[1].data(), gates, gate_rows_, /*bias=*/nullptr,
                       /*accumulate=*/true);
    kernel.lstm(sequences, units_, gates, &cells_[first * units_], next_cells, next_hidden_.data());
    for (int64_t s = 0; s < sequences; ++s) {
      float* const row = out + (first + s) * 2 * units_;
      std::copy_n(&next_hidden_[s * units_], units_, row);
      std::copy_n(&next_cells[s * units_], units_, row + units_);
    }
  }

  // Each turns the gates of a step into their gradients, and d_hidden_ and d_cell_ into those of
  // the state before it; what goes through W_hh is missing.
  void GruStepBack(int64_t first, int64_t sequences, const float* gradient) {
    for (int64_t i = 0; i < sequences * units_; ++i) d_hidden_[i] += gradient[first * units_ + i];
    float* const gates = &gates_[first * gate_rows_];
    float* const hidden_gates = &hidden_gates_[first * gate_rows_];
    kernels::Best().gru_backward(sequences, units_, gates, hidden_gates, &hidden_[first * units_],
                                 d_hidden_.data(), gates, hidden_gates, d_hidden_.data());
  }

  void LstmStepBack(int64_t first, int64_t sequences, const float* gradient) {
    for (int64_t s = 0; s < sequences; ++s) {
      const float* const row = gradient + (first + s) * 2 * units_;
      for (int64_t u = 0; u < units_; ++u) {
        d_hidden_[s * units_ + u] += row[u];
        d_cell_[s * units_ + u] += row[units_ + u];
      }
    }
    float* const gates = &gates_[first * gate_rows_];
    kernels::Best().lstm_backward(sequences, units_, gates, &cells_[first * units_],
                                  &next_cells_[first * units_], d_hidden_.data(), d_cell_.data(),
                                  gates);
  }

  // The gradients of W_hh h + b_hh, [B, gates units].
  const float* HiddenGates(int64_t first) const {
    return (lstm_ ? gates_.data() : hidden_gates_.data()) + first * gate_rows_;
  }

  const Recurrent& layer_;
  const OperationSite site_;
  const bool lstm_;
  const int64_t units_, gate_rows_;
  const ValueId x_, state_, starts_;
  std::vector<float> hidden_, cells_;     // [B, units], before each row.
  std::vector<float> gates_;              // [B, gates units]
  std::vector<float> hidden_gates_;       // GRU: [B, gates units]
  std::vector<float> next_cells_;         // LSTM: [B, units]
  std::vector<float> next_hidden_;        // LSTM: [S, units]
  std::vector<float> d_hidden_, d_cell_;  // [S, units], of the state after a step.
};

}  // namespace

std::unique_ptr<KernelOperation> MakeKernelOperation(const Recurrent& layer, OperationSite site) {
  return std::make_unique<KernelRecurrent>(layer, site);
}

}  // namespace cadre
