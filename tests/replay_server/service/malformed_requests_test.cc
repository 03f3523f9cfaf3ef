// Bytes that are no messages, on the streams that the server decodes itself.
#include <string>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"
#include "tests/replay_server/service/table_streams.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

class MalformedRequestsTest : public TableStreamsTest {
 protected:
  MalformedRequestsTest() { Serve(OpenTable()); }

  // How a stream ends that was opened well, if `open` is not empty, and then got `bytes`.
  grpc::Status SendBytes(const std::string& method, const std::string& open,
                         const std::string& bytes) {
    grpc::GenericStub stub(*MakeChannel(server_->server->address()));
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    const auto call = stub.PrepareCall(&context, "/cadre.v1.ExperienceService/" + method, &queue);
    const auto done = [&queue] {
      void* tag;
      bool ok;
      queue.Next(&tag, &ok);
    };
    call->StartCall(nullptr), done();
    grpc::ByteBuffer answer;
    if (!open.empty()) {
      call->Write(Bytes(open), nullptr), done();
      call->Read(&answer, nullptr), done();
    }
    call->Write(Bytes(bytes), nullptr), done();
    grpc::Status status;
    call->Finish(&status, nullptr), done();
    return status;
  }

  static std::string OpenAppendBytes(const std::string& target) {
    v1::AppendRequest request;
    *request.mutable_open() = AppendOpen(7);
    request.mutable_open()->set_target(target);
    return request.SerializeAsString();
  }
  static std::string OpenSampleBytes() {
    v1::SampleRequest request;
    *request.mutable_open() = SampleOpen();
    return request.SerializeAsString();
  }
  static std::string RolloutBytes() {
    v1::AppendRequest request;
    *request.mutable_rollout() = Episode(7, 1);
    return request.SerializeAsString();
  }
};

TEST_F(MalformedRequestsTest, EndTheirStreamAndNoOther) {
  auto other = OpenAppender(8);
  const std::string half = RolloutBytes().substr(0, RolloutBytes().size() / 2);
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff\xff"), half, std::string(100, 0)}) {
    EXPECT_EQ(SendBytes("Append", "", bytes).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    for (const char* const target : {"replay", "on_policy"}) {
      const grpc::Status status = SendBytes("Append", OpenAppendBytes(target), bytes);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
      EXPECT_THAT(status.error_message(), HasSubstr("not a cadre.v1.AppendRequest")) << target;
    }
    EXPECT_EQ(SendBytes("Sample", "", bytes).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const grpc::Status status = SendBytes("Sample", OpenSampleBytes(), bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("not a cadre.v1.SampleRequest"));
  }
  EXPECT_EQ(Info().inserted_rollouts(), 0);
  other->Send(Episode(8, 1));
  EXPECT_TRUE(Eventually([&] { return Info().inserted_rollouts() == 1; }));
  other->stream->WritesDone();
  EXPECT_TRUE(other->End().ok());
}

TEST_F(MalformedRequestsTest, OfNoBytesEndTheirStream) {
  EXPECT_EQ(SendBytes("Append", OpenAppendBytes("replay"), "").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(SendBytes("Append", OpenAppendBytes("on_policy"), "").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(SendBytes("Sample", OpenSampleBytes(), "").error_message(),
            "Sample: got a request without `want` or `priorities`");
}

}  // namespace
}  // namespace cadre
