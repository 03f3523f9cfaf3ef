#include "param_server/parameter_encoding.h"

#include <string>

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
  return rest;
}

uint32_t LengthDelimitedTag(int field_number) {
  return WireFormatLite::MakeTag(field_number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

// run_state, then the field `parameters` up to the first byte of its field `values`.
// Fields may come in any order (protobuf encoding, "Field Order").
std::string EncodeHead(const v1::Parameters& parameters, v1::RunState run_state) {
  v1::WatchResponse state;
  state.set_run_state(run_state);
  std::string head = state.SerializeAsString();
  const std::string rest = WithoutValues(parameters).SerializeAsString();
  const size_t size = parameters.values().size();
  const uint32_t values_tag = LengthDelimitedTag(v1::Parameters::kValuesFieldNumber);
  const size_t inner = rest.size() + CodedOutputStream::VarintSize32(values_tag) +
                       CodedOutputStream::VarintSize64(size) + size;
  google::protobuf::io::StringOutputStream stream(&head);  // Appends.
  CodedOutputStream out(&stream);
  out.WriteTag(LengthDelimitedTag(v1::WatchResponse::kParametersFieldNumber));
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

}  // namespace

grpc::ByteBuffer EncodeResponse(const ParametersPtr& parameters, v1::RunState run_state) {
  if (parameters == nullptr) {
    v1::WatchResponse response;
    response.set_run_state(run_state);
    const grpc::Slice slice(response.SerializeAsString());
    return grpc::ByteBuffer(&slice, 1);
  }
  const grpc::Slice slices[] = {grpc::Slice(EncodeHead(*parameters, run_state)),
                                ShareValues(parameters)};
  return grpc::ByteBuffer(slices, 2);
}

}  // namespace cadre
