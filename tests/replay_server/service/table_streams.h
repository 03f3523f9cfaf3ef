// A table over loopback inside a test, and the raw streams of its clients.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/channel.h"
#include "tests/replay_server/example_rollouts.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {

constexpr int64_t kSteps = 10;

// More than a stream holds between its ends: the window of HTTP/2, which gRPC lets grow to
// 16 MB, and the socket's buffers.
constexpr int64_t kMostBytesBetween = int64_t{32} << 20;

// A table of single steps that nothing holds back.
inline TableOptions OpenTable() {
  TableOptions options;
  options.run_id = kRun;
  options.config.set_capacity_bytes(1 << 20);
  options.config.mutable_transitions()->set_gamma(0.5);
  return options;
}

// A table in which samples keep up with inserts: no rollout of kSteps goes in ahead of them.
inline TableOptions BalancedTable() {
  TableOptions options = OpenTable();
  options.config.mutable_rate_limiter()->set_samples_per_insert(1);
  options.config.mutable_rate_limiter()->set_min_size(kSteps);
  options.config.mutable_rate_limiter()->set_error_buffer(2 * kSteps);
  return options;
}

inline TableOptions PrioritizedTable() {
  TableOptions options = OpenTable();
  options.config.mutable_sampler()->mutable_prioritized()->set_alpha(1);
  return options;
}

// obs is `content` throughout in each of its bytes; the episode ends.
inline v1::Rollout Episode(uint64_t writer, uint64_t sequence, int64_t steps = kSteps) {
  v1::Rollout rollout = ExampleRollout(writer, sequence, steps, 0);
  rollout.mutable_segments(0)->set_end(v1::SEGMENT_END_TERMINATED);
  return rollout;
}

class TableStreamsTest : public ::testing::Test {
 protected:
  struct Appender {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::AppendRequest, v1::AppendResponse>> stream;
    v1::AppendResponse response;

    bool Send(v1::Rollout rollout) {
      v1::AppendRequest request;
      *request.mutable_rollout() = std::move(rollout);
      return stream->Write(request);
    }
    grpc::Status End() {
      while (stream->Read(&response)) {
      }
      return stream->Finish();
    }
  };
  struct Sampler {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::SampleRequest, v1::SampleResponse>> stream;
    v1::SampleResponse response;

    void Want(const std::vector<int32_t>& items, int64_t min_inserted_steps = 0) {
      v1::SampleRequest request;
      request.mutable_want()->mutable_items()->Assign(items.begin(), items.end());
      request.mutable_want()->set_min_inserted_steps(min_inserted_steps);
      stream->Write(request);
    }
    void SetPriorities(const std::vector<uint64_t>& keys, const std::vector<float>& priorities) {
      v1::SampleRequest request;
      request.mutable_priorities()->mutable_keys()->Assign(keys.begin(), keys.end());
      request.mutable_priorities()->mutable_priorities()->Assign(priorities.begin(),
                                                                 priorities.end());
      stream->Write(request);
    }
    // The next batch; empty where the stream ended.
    v1::SampleBatch Next() {
      response.Clear();
      if (!stream->Read(&response)) return {};
      return response.batch();
    }
    grpc::Status End() {
      while (stream->Read(&response)) {
      }
      return stream->Finish();
    }
  };

  void Serve(TableOptions options) {
    server_ = std::make_unique<TableServer>(std::move(options));
    stub_ = v1::ExperienceService::NewStub(*MakeChannel(server_->server->address()));
  }

  static v1::AppendOpen AppendOpen(uint64_t writer) {
    v1::AppendOpen open;
    open.set_run_id(kRun);
    open.set_writer_id(writer);
    open.set_target("replay");
    *open.mutable_spec() = ExampleSpec();
    return open;
  }
  static v1::SampleOpen SampleOpen() {
    v1::SampleOpen open;
    open.set_run_id(kRun);
    open.set_table("replay");
    *open.mutable_spec() = ExampleSpec();
    return open;
  }

  std::unique_ptr<Appender> Append(const v1::AppendOpen& open) {
    auto appender = std::make_unique<Appender>();
    appender->stream = stub_->Append(&appender->context);
    v1::AppendRequest request;
    *request.mutable_open() = open;
    appender->stream->Write(request);
    return appender;
  }
  std::unique_ptr<Appender> OpenAppender(uint64_t writer) {
    auto appender = Append(AppendOpen(writer));
    EXPECT_TRUE(appender->stream->Read(&appender->response));
    return appender;
  }
  std::unique_ptr<Sampler> Sample(const v1::SampleOpen& open) {
    auto sampler = std::make_unique<Sampler>();
    sampler->stream = stub_->Sample(&sampler->context);
    v1::SampleRequest request;
    *request.mutable_open() = open;
    sampler->stream->Write(request);
    return sampler;
  }
  std::unique_ptr<Sampler> OpenSampler() {
    auto sampler = Sample(SampleOpen());
    EXPECT_TRUE(sampler->stream->Read(&sampler->response));
    EXPECT_TRUE(sampler->response.has_opened());
    return sampler;
  }
  void Insert(uint64_t writer, int rollouts) {
    auto appender = OpenAppender(writer);
    for (int i = 1; i <= rollouts; ++i) appender->Send(Episode(writer, i));
    while (appender->response.settled_sequence() < static_cast<uint64_t>(rollouts))
      ASSERT_TRUE(appender->stream->Read(&appender->response));
    appender->stream->WritesDone();
    EXPECT_TRUE(appender->End().ok());
  }
  v1::TableInfo Info() const { return server_->table->Info(); }

  std::unique_ptr<TableServer> server_;
  std::unique_ptr<v1::ExperienceService::Stub> stub_;
};

}  // namespace cadre
