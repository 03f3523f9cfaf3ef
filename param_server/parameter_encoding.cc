#include "param_server/parameter_encoding.h"

#include <string>
#include <utility>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"
#include "grpcpp/support/slice.h"

namespace cadre {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

static_assert(int{v1::WatchResponse::kParametersFieldNumber} ==
              int{v1::FetchResponse::kParametersFieldNumber});
static_assert(int{v1::WatchResponse::kRunStateFieldNumber} ==
              int{v1::FetchResponse::kRunStateFieldNumber});

// Everything but the values: what is small.
v1::Parameters WithoutValues(const v1::Parameters& parameters) {
  v1::Parameters rest;
  rest.set_model(parameters.model());
  rest.set_version(parameters.version());
  rest.set_layout_fingerprint(parameters.layout_fingerprint());
  *rest.mutable_statistics() = parameters.statistics();
  rest.set_env_steps(parameters.env_steps());
  rest.set_encoding(parameters.encoding());
  return rest;
}

uint32_t LengthDelimitedTag(int field_number) {
  return WireFormatLite::MakeTag(field_number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

// `head`, then the field `field` of type Parameters up to the first byte of its own field
// `values`. Fields may come in any order (protobuf encoding, "Field Order").
std::string EncodeHead(std::string head, int field, const v1::Parameters& parameters) {
  const std::string rest = WithoutValues(parameters).SerializeAsString();
  const size_t size = parameters.values().size();
  const uint32_t values_tag = LengthDelimitedTag(v1::Parameters::kValuesFieldNumber);
  const size_t inner = rest.size() + CodedOutputStream::VarintSize32(values_tag) +
                       CodedOutputStream::VarintSize64(size) + size;
  google::protobuf::io::StringOutputStream stream(&head);  // Appends.
  CodedOutputStream out(&stream);
  out.WriteTag(LengthDelimitedTag(field));
  out.WriteVarint64(inner);
  out.WriteString(rest);
  out.WriteTag(values_tag);
  out.WriteVarint64(size);
  out.Trim();
  return head;
}

// The values as a slice that keeps their version alive.
grpc::Slice ShareValues(const ParametersPtr& parameters) {
  const std::string& values = parameters->values();
  return grpc::Slice(
      const_cast<char*>(values.data()), values.size(),  // gRPC only reads it.
      [](void* owner) { delete static_cast<ParametersPtr*>(owner); },
      new ParametersPtr(parameters));
}

// `head` alone, or with `parameters` as its field `field`.
grpc::ByteBuffer Encode(std::string head, int field, const ParametersPtr& parameters) {
  if (parameters == nullptr) {
    const grpc::Slice slice(head);
    return grpc::ByteBuffer(&slice, 1);
  }
  const grpc::Slice slices[] = {grpc::Slice(EncodeHead(std::move(head), field, *parameters)),
                                ShareValues(parameters)};
  return grpc::ByteBuffer(slices, 2);
}

}  // namespace

grpc::ByteBuffer EncodeResponse(const ParametersPtr& parameters, v1::RunState run_state) {
  v1::WatchResponse head;
  head.set_run_state(run_state);
  return Encode(head.SerializeAsString(), v1::WatchResponse::kParametersFieldNumber, parameters);
}

grpc::ByteBuffer EncodePushResponse(const ModelUpdater::Pushed& pushed, v1::RunState run_state) {
  v1::PushGradientResponse head;
  head.set_applied(pushed.gradient.applied);
  head.set_lag(pushed.gradient.lag);
  head.set_run_state(run_state);
  for (const v1::PushedSequence& learner : pushed.learners) *head.add_pushed() = learner;
  return Encode(head.SerializeAsString(), v1::PushGradientResponse::kParametersFieldNumber,
                pushed.gradient.newest);
}

}  // namespace cadre
