// The service through plain stubs over a real connection.
#include "param_server/parameter_service.h"

#include <gtest/gtest.h>

#include <thread>

#include "google/protobuf/util/message_differencer.h"
#include "rpc/channel.h"
#include "tests/param_server/running_server.h"
#include "tests/param_server/test_parameters.h"
#include "tests/process_threads.h"

namespace cadre {
namespace {

using google::protobuf::util::MessageDifferencer;

class ParameterServiceTest : public ::testing::Test {
 protected:
  grpc::Status Publish(const v1::Parameters& parameters, const std::string& run_id = "run") {
    grpc::ClientContext context;
    v1::PublishRequest request;
    request.set_run_id(run_id);
    *request.mutable_parameters() = parameters;
    v1::PublishResponse response;
    return stub_->Publish(&context, request, &response);
  }

  v1::FetchResponse Fetch(int64_t known_version) {
    grpc::ClientContext context;
    v1::FetchRequest request;
    request.set_run_id("run");
    request.set_model("policy");
    request.set_known_version(known_version);
    v1::FetchResponse response;
    EXPECT_TRUE(stub_->Fetch(&context, request, &response).ok());
    return response;
  }

  // A Watch stream; it ends with this object.
  struct Stream {
    ~Stream() {
      if (finished) return;
      context.TryCancel();
      static_cast<void>(Finish());
    }
    bool Read() { return reader->Read(&response); }
    grpc::Status Finish() {
      while (Read()) {
      }
      finished = true;
      return reader->Finish();
    }

    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
    v1::WatchResponse response;
    bool finished = false;
  };

  std::unique_ptr<Stream> Watch(int64_t known_version, const std::string& run_id = "run") {
    v1::WatchRequest request;
    request.set_run_id(run_id);
    request.set_model("policy");
    request.set_known_version(known_version);
    auto stream = std::make_unique<Stream>();
    stream->reader = stub_->Watch(&stream->context, request);
    return stream;
  }

  RunningServer server_{"run"};
  std::unique_ptr<v1::ParameterService::Stub> stub_ =
      v1::ParameterService::NewStub(*MakeChannel(server_.address()));
};

TEST_F(ParameterServiceTest, FetchGivesWhatIsNewer) {
  EXPECT_FALSE(Fetch(0).has_parameters());
  EXPECT_EQ(Fetch(0).run_state(), v1::RUN_STATE_RUNNING);
  const auto published = MakeParameters(4);
  published->add_statistics()->set_name("observation.mean");
  ASSERT_TRUE(Publish(*published).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(Fetch(3).parameters(), *published));
  EXPECT_FALSE(Fetch(4).has_parameters());
}

TEST_F(ParameterServiceTest, RefusalsSayWhy) {
  EXPECT_EQ(Publish(*MakeParameters(1), "other").error_message(),
            "run id 'other' differs; this server serves run 'run'");
  ASSERT_TRUE(Publish(*MakeParameters(5)).ok());
  EXPECT_TRUE(Publish(*MakeParameters(5)).ok());  // A retry.
  const grpc::Status older = Publish(*MakeParameters(4));
  EXPECT_EQ(older.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(older.error_message(),
            "model 'policy' version 4 is not newer than the stored version 5");
  EXPECT_EQ(server_.metrics().refused_publications.Value(), 2);

  const auto stream = Watch(0, "other");
  EXPECT_EQ(stream->Finish().error_message(),
            "run id 'other' differs; this server serves run 'run'");
}

TEST_F(ParameterServiceTest, WatchSendsTheNewestAtOnceAndThenEachNewerOne) {
  ASSERT_TRUE(Publish(*MakeParameters(1)).ok());
  ASSERT_TRUE(Publish(*MakeParameters(2)).ok());
  const auto stream = Watch(0);
  ASSERT_TRUE(stream->Read());
  EXPECT_TRUE(MessageDifferencer::Equals(stream->response.parameters(), *MakeParameters(2)));
  for (int64_t version = 3; version < 20; ++version) {
    ASSERT_TRUE(Publish(*MakeParameters(version)).ok());
    ASSERT_TRUE(stream->Read());
    EXPECT_EQ(stream->response.parameters().version(), version);
  }
}

TEST_F(ParameterServiceTest, WatchSendsChangesOfTheRunState) {
  ASSERT_TRUE(Publish(*MakeParameters(1)).ok());
  const auto stream = Watch(1);
  ASSERT_TRUE(stream->Read());
  EXPECT_FALSE(stream->response.has_parameters());
  EXPECT_EQ(stream->response.run_state(), v1::RUN_STATE_RUNNING);

  grpc::ClientContext context;
  v1::SetRunStateRequest request;
  request.set_run_id("run");
  request.set_run_state(v1::RUN_STATE_FINISHED);
  v1::SetRunStateResponse response;
  ASSERT_TRUE(stub_->SetRunState(&context, request, &response).ok());
  ASSERT_TRUE(stream->Read());
  EXPECT_FALSE(stream->response.has_parameters());
  EXPECT_EQ(stream->response.run_state(), v1::RUN_STATE_FINISHED);
}

TEST_F(ParameterServiceTest, ASlowWatcherSkipsWhatItMissed) {
  constexpr int64_t kLast = 64;
  constexpr int64_t kValues = 1 << 18;  // 1 MiB, so that they cannot all wait on the way.
  const auto stream = Watch(0);
  ASSERT_TRUE(stream->Read());
  for (int64_t version = 1; version <= kLast; ++version) {
    ASSERT_TRUE(server_.store().Publish(MakeParameters(version, kValues)).ok());
  }
  int64_t received = 0;
  int64_t newest = 0;
  while (newest < kLast) {
    ASSERT_TRUE(stream->Read());
    ASSERT_GT(stream->response.parameters().version(), newest);
    newest = stream->response.parameters().version();
    ++received;
  }
  EXPECT_LT(received, kLast);
}

TEST_F(ParameterServiceTest, ClosingTheStoreEndsTheStreams) {
  const auto stream = Watch(0);
  ASSERT_TRUE(stream->Read());
  server_.Stop();  // Would wait for a minute if the stream did not end by itself.
  EXPECT_EQ(stream->Finish().error_message(), "the server is shutting down");
}

TEST_F(ParameterServiceTest, ACancelledStreamEndsWithoutANewVersion) {
  const auto stream = Watch(0);
  ASSERT_TRUE(stream->Read());
  server_.CutOff();  // Would not return if the stream still waited in the store.
  EXPECT_FALSE(stream->Finish().ok());
  EXPECT_EQ(server_.metrics().watchers.Value(), 0);
}

TEST_F(ParameterServiceTest, WatchersCostNoThreads) {
  ASSERT_TRUE(Publish(*MakeParameters(1)).ok());
  std::vector<std::unique_ptr<Stream>> streams;
  streams.push_back(Watch(0));
  ASSERT_TRUE(streams.back()->Read());
  const int threads = ProcessThreads();
  for (int i = 1; i < 200; ++i) {
    streams.push_back(Watch(0));
    ASSERT_TRUE(streams.back()->Read());
  }
  EXPECT_LE(ProcessThreads(), threads + 30) << "gRPC starts a few while it is busy";
}

TEST_F(ParameterServiceTest, InfoCountsModelsAndWatchers) {
  ASSERT_TRUE(Publish(*MakeParameters(3)).ok());
  const auto first = Watch(0);
  const auto second = Watch(0);
  ASSERT_TRUE(first->Read());
  ASSERT_TRUE(second->Read());
  grpc::ClientContext context;
  v1::ParameterInfoResponse info;
  ASSERT_TRUE(stub_->ParameterInfo(&context, v1::ParameterInfoRequest(), &info).ok());
  EXPECT_EQ(info.run_id(), "run");
  EXPECT_EQ(info.run_state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(info.watchers(), 2);
  ASSERT_EQ(info.models_size(), 1);
  EXPECT_EQ(info.models(0).version(), 3);
  EXPECT_EQ(info.models(0).bytes(), 16);
  EXPECT_EQ(info.models(0).publications(), 1);
  EXPECT_GT(server_.metrics().sent_bytes.Value(), 32);
}

// Streams that come, are cancelled and go at every moment of a publication.
TEST_F(ParameterServiceTest, CancellationsNeverLoseTheServer) {
  constexpr int64_t kLast = 300;
  const auto come_and_go = [this] {
    for (int64_t newest = 0; newest < kLast;) {
      const auto stream = Watch(0);
      ASSERT_TRUE(stream->Read());
      newest = stream->response.parameters().version();
    }
  };
  std::thread first(come_and_go), second(come_and_go);
  for (int64_t version = 1; version <= kLast; ++version) {
    EXPECT_TRUE(Publish(*MakeParameters(version)).ok());
  }
  first.join();
  second.join();
  server_.Stop();
  EXPECT_EQ(server_.metrics().watchers.Value(), 0);
}

}  // namespace
}  // namespace cadre
