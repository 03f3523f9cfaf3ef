// Operations on images on the CPU kernels. Between them an image is in the order of pixels.
#include "policy/networks/kernel_operation.h"

namespace cadre {
namespace {

class KernelConv2d final : public KernelOperation {
 public:
  KernelConv2d(const Conv2d& conv, OperationSite site)
      : conv_(conv),
        site_(site),
        operand_(site.operation.operands[0]),
        shape_(KernelShape(site.network, site.operation, conv)),
        scratch_(kernels::Best().conv2d_scratch_size(shape_)) {}

  bool few_rows() const override { return true; }

  void Forward(PassRows& rows, int64_t first, int64_t count) override {
    kernels::Best().conv2d(shape_, count, Images(rows, first), site_.weights.packed[0].data(),
                           site_.weights.bias.data(), conv_.relu,
                           rows.Result(site_.value) + first * site_.operation.size,
                           scratch_.data());
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    kernels::Conv2dGradients out{.output = gradient,
                                 .relu_output = conv_.relu ? rows.Floats(site_.value) : nullptr,
                                 .weights = gradients.gradient(conv_.weight),
                                 .bias = gradients.gradient(conv_.bias)};
    if (gradients.wanted(operand_)) {
      const PassGradients::Destination to = gradients.DestinationOf(operand_);
      out.input = to.rows;
      out.accumulate_input = to.add;
    }
    kernels::Best().conv2d_backward(shape_, rows.batch(), Images(rows, 0),
                                    gradients.parameters(conv_.weight), out, scratch_.data());
  }

 private:
  // From row `first` on.
  kernels::Images Images(const PassRows& rows, int64_t first) const {
    const int64_t offset = first * conv_.in.size();
    if (rows.IsBytes(operand_))
      return {nullptr, rows.Bytes(operand_) + offset, rows.scale(operand_)};
    return {rows.Floats(operand_) + offset};
  }

  const Conv2d& conv_;
  const OperationSite site_;
  const ValueId operand_;
  const kernels::Conv2d shape_;
  std::vector<float> scratch_;
};

class KernelMaxPool2d final : public KernelOperation {
 public:
  KernelMaxPool2d(const MaxPool2d& pool, OperationSite site)
      : site_(site),
        shape_{pool.in.channels, pool.in.height, pool.in.width,           pool.kernel,
               pool.stride,      pool.padding,   kernels::Layout::kPixels},
        scratch_(kernels::Best().max_pool_scratch_size(shape_)) {}

  bool few_rows() const override { return true; }

  void Forward(PassRows& rows, int64_t first, int64_t count) override {
    const ValueId operand = site_.operation.operands[0];
    const int64_t size = site_.operation.size;
    Room(chosen_, rows.batch() * size);
    kernels::Best().max_pool(shape_, count, rows.Floats(operand) + first * rows.RowSize(operand),
                             rows.Result(site_.value) + first * size, &chosen_[first * size],
                             scratch_.data());
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const PassGradients::Destination to = gradients.DestinationOf(site_.operation.operands[0]);
    kernels::Best().max_pool_backward(shape_, rows.batch(), chosen_.data(), gradient, to.rows,
                                      to.add);
  }

 private:
  const OperationSite site_;
  const kernels::Pool2d shape_;
  std::vector<float> scratch_;
  std::vector<uint8_t> chosen_;
};

class KernelFlatten final : public KernelOperation {
 public:
  KernelFlatten(const Flatten& flatten, OperationSite site)
      : site_(site),
        channels_(flatten.in.channels),
        pixels_(flatten.in.height * flatten.in.width) {}

  bool few_rows() const override { return true; }

  void Forward(PassRows& rows, int64_t first, int64_t count) override {
    const int64_t offset = first * site_.operation.size;
    kernels::Best().pixels_to_planes(count, channels_, pixels_,
                                     rows.Floats(site_.operation.operands[0]) + offset,
                                     rows.Result(site_.value) + offset);
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const ValueId operand = site_.operation.operands[0];
    const int64_t batch = rows.batch(), size = batch * site_.operation.size;
    const PassGradients::Destination to = gradients.DestinationOf(operand);
    float* const image = to.add ? Room(image_, size) : to.rows;
    kernels::Best().planes_to_pixels(batch, channels_, pixels_, gradient, image);
    if (to.add)
      for (int64_t i = 0; i < size; ++i) to.rows[i] += image[i];
  }

 private:
  const OperationSite site_;
  const int64_t channels_, pixels_;
  std::vector<float> image_;
};

}  // namespace

std::unique_ptr<KernelOperation> MakeKernelOperation(const Conv2d& conv, OperationSite site) {
  return std::make_unique<KernelConv2d>(conv, site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const MaxPool2d& pool, OperationSite site) {
  return std::make_unique<KernelMaxPool2d>(pool, site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const Flatten& flatten, OperationSite site) {
  return std::make_unique<KernelFlatten>(flatten, site);
}

}  // namespace cadre
