#include "bench/plain_stream.h"

#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "grpcpp/impl/codegen/server_callback_handlers.h"
#include "grpcpp/impl/rpc_service_method.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/slice.h"
#include "rpc/channel.h"
#include "rpc/wire/raw_stream.h"

namespace cadre {
namespace {

// Not measured: while buffers grow.
constexpr absl::Duration kWarmUp = absl::Milliseconds(300);

grpc::ByteBuffer Message(const std::string& bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size(), grpc::Slice::STATIC_SLICE);
  return {&slice, 1};
}

// The first request says how many bytes a message has that the server shall send, as
// fast as it can; 0: it is to read, and to answer the last one.
class PlainStreamReactor final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  PlainStreamReactor() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) return sends_ ? void() : StartWriteLast(&message_, grpc::WriteOptions());
    if (!opened_) Open();
    if (!sends_) StartRead(&request_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok || !sends_) return Finish(grpc::Status::OK);
    StartWrite(&message_);
  }
  void OnDone() override { delete this; }

 private:
  void Open() {
    grpc::Slice digits;  // Many streams of one connection may split it.
    CADRE_CHECK(request_.DumpToSingleSlice(&digits).ok());
    int64_t bytes = 0;
    CADRE_CHECK(absl::SimpleAtoi(
        absl::string_view(reinterpret_cast<const char*>(digits.begin()), digits.size()), &bytes));
    opened_ = true;
    sends_ = bytes > 0;
    contents_.assign(static_cast<size_t>(bytes), 'x');
    message_ = Message(contents_);
    if (sends_) StartWrite(&message_);
  }

  grpc::ByteBuffer request_;
  bool opened_ = false;
  bool sends_ = false;
  std::string contents_;
  grpc::ByteBuffer message_;
};

class PlainStreamService final : public grpc::Service {
 public:
  PlainStreamService() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        kPlainStreamMethod, grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodRawCallback(
        0, new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
               [](grpc::CallbackServerContext*) { return new PlainStreamReactor(); }));
  }
};

class RunningPlainStreamServer final : public PlainStreamServer {
 public:
  explicit RunningPlainStreamServer(const std::string& address) {
    auto server = RpcServer::Create(address, {&service_});
    CADRE_CHECK(server.ok());
    server_ = *std::move(server);
  }
  const RpcServer& server() const override { return *server_; }

 private:
  PlainStreamService service_;
  std::unique_ptr<RpcServer> server_;
};

using Stream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

double Receive(Stream& stream, absl::Duration duration) {
  grpc::ByteBuffer message;
  const absl::Time warm = absl::Now() + kWarmUp;
  while (absl::Now() < warm) CADRE_CHECK(stream.Read(&message));
  const absl::Time start = absl::Now();
  int64_t messages = 0;
  for (; absl::Now() < start + duration; ++messages) CADRE_CHECK(stream.Read(&message));
  return static_cast<double>(messages) / absl::ToDoubleSeconds(absl::Now() - start);
}

double Send(Stream& stream, int64_t message_bytes, absl::Duration duration) {
  const std::string contents(static_cast<size_t>(message_bytes), 'x');
  const grpc::ByteBuffer message = Message(contents);
  // Reading all the time, as every client of a stream does.
  grpc::ByteBuffer answer;
  std::thread reader([&] { CADRE_CHECK(stream.Read(&answer)); });
  const absl::Time warm = absl::Now() + kWarmUp;
  while (absl::Now() < warm) CADRE_CHECK(stream.Write(message));
  const absl::Time start = absl::Now();
  int64_t messages = 0;
  for (; absl::Now() < start + duration; ++messages) CADRE_CHECK(stream.Write(message));
  CADRE_CHECK(stream.WritesDone());
  reader.join();  // Everything has arrived.
  return static_cast<double>(messages) / absl::ToDoubleSeconds(absl::Now() - start);
}

}  // namespace

std::unique_ptr<PlainStreamServer> PlainStreamServer::Start(const std::string& address) {
  return std::make_unique<RunningPlainStreamServer>(address);
}

double MeasurePlainStream(const std::string& address, PlainDirection direction,
                          int64_t message_bytes, absl::Duration duration) {
  const auto channel = MakeChannel(address);
  CADRE_CHECK(channel.ok());
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  const auto stream =
      OpenStream<grpc::ByteBuffer, grpc::ByteBuffer>(**channel, kPlainStreamMethod, &context);
  const bool receives = direction == PlainDirection::kToClient;
  const std::string open = absl::StrCat(receives ? message_bytes : 0);
  CADRE_CHECK(stream->Write(Message(open)));
  const double rate =
      receives ? Receive(*stream, duration) : Send(*stream, message_bytes, duration);
  context.TryCancel();
  static_cast<void>(stream->Finish());
  return rate;
}

}  // namespace cadre
