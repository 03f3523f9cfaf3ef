// The service's wire contract, spoken with raw messages over loopback.
#include "replay_server/service/experience_service.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/channel.h"
#include "tests/replay_server/example_rollouts.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

QueueOptions HundredSteps() {
  QueueOptions options;
  options.run_id = kRun;
  options.capacity_steps = 100;
  return options;
}

class ExperienceServiceTest : public ::testing::Test {
 protected:
  struct Appender {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::AppendRequest, v1::AppendResponse>> stream;
    v1::AppendResponse response;

    void Send(v1::Rollout rollout) {
      v1::AppendRequest request;
      *request.mutable_rollout() = std::move(rollout);
      stream->Write(request);
    }
    grpc::Status End() {
      while (stream->Read(&response)) {
      }
      return stream->Finish();
    }
  };
  struct Consumer {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::ConsumeRequest, v1::ConsumeResponse>> stream;
    v1::ConsumeResponse response;

    void Take(int64_t steps) {
      v1::ConsumeRequest request;
      request.mutable_take()->set_steps(steps);
      stream->Write(request);
    }
    void Acknowledge(uint64_t lease_id) {
      v1::ConsumeRequest request;
      request.mutable_acknowledge()->set_lease_id(lease_id);
      stream->Write(request);
    }
    grpc::Status End() {
      while (stream->Read(&response)) {
      }
      return stream->Finish();
    }
  };

  static v1::AppendOpen OpenMessage(uint64_t writer) {
    v1::AppendOpen open;
    open.set_run_id(kRun);
    open.set_writer_id(writer);
    open.set_target("on_policy");
    *open.mutable_spec() = ExampleSpec();
    return open;
  }

  // The stream after its open was sent; `response` is the answer, if there is one.
  std::unique_ptr<Appender> Append(const v1::AppendOpen& open) {
    auto appender = std::make_unique<Appender>();
    appender->stream = stub_->Append(&appender->context);
    v1::AppendRequest request;
    *request.mutable_open() = open;
    appender->stream->Write(request);
    return appender;
  }
  std::unique_ptr<Appender> OpenAppender(uint64_t writer) {
    auto appender = Append(OpenMessage(writer));
    EXPECT_TRUE(appender->stream->Read(&appender->response));
    return appender;
  }
  std::unique_ptr<Consumer> OpenConsumer() {
    auto consumer = std::make_unique<Consumer>();
    consumer->stream = stub_->Consume(&consumer->context);
    v1::ConsumeRequest request;
    request.mutable_open()->set_run_id(kRun);
    request.mutable_open()->set_queue("on_policy");
    *request.mutable_open()->mutable_spec() = ExampleSpec();
    consumer->stream->Write(request);
    EXPECT_TRUE(consumer->stream->Read(&consumer->response));
    EXPECT_EQ(consumer->response.lease_id(), 0);
    return consumer;
  }
  v1::QueueInfo Info() const { return server_.queue.Info(); }

  ExperienceServer server_{HundredSteps()};
  std::unique_ptr<v1::ExperienceService::Stub> stub_ =
      v1::ExperienceService::NewStub(*MakeChannel(server_.server->address()));
};

TEST_F(ExperienceServiceTest, RolloutsGoFromWriterToConsumerAndAreSettled) {
  auto appender = OpenAppender(7);
  EXPECT_EQ(appender->response.settled_sequence(), 0);
  appender->Send(ExampleRollout(7, 1, 10, 3));
  appender->Send(ExampleRollout(7, 2, 10, 3));
  auto consumer = OpenConsumer();
  consumer->Take(20);
  ASSERT_TRUE(consumer->stream->Read(&consumer->response));
  ASSERT_EQ(consumer->response.rollouts_size(), 2);
  EXPECT_EQ(consumer->response.rollouts(1).SerializeAsString(),
            ExampleRollout(7, 2, 10, 3).SerializeAsString());
  consumer->Acknowledge(consumer->response.lease_id());
  ASSERT_TRUE(appender->stream->Read(&appender->response));
  EXPECT_EQ(appender->response.settled_sequence(), 2);
  consumer->stream->WritesDone();
  appender->stream->WritesDone();
  EXPECT_TRUE(consumer->End().ok());
  EXPECT_TRUE(appender->End().ok());
}

TEST_F(ExperienceServiceTest, TheFirstRequestMustOpen) {
  grpc::ClientContext context;
  auto append = stub_->Append(&context);
  v1::AppendRequest rollout;
  *rollout.mutable_rollout() = ExampleRollout(7, 1, 10, 0);
  append->Write(rollout);
  v1::AppendResponse response;
  EXPECT_FALSE(append->Read(&response));
  EXPECT_EQ(append->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  grpc::ClientContext consume_context;
  auto consume = stub_->Consume(&consume_context);
  v1::ConsumeRequest take;
  take.mutable_take()->set_steps(1);
  consume->Write(take);
  v1::ConsumeResponse lease;
  EXPECT_FALSE(consume->Read(&lease));
  EXPECT_EQ(consume->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ExperienceServiceTest, AnUnknownQueueIsToldWithThoseThereAre) {
  v1::AppendOpen open = OpenMessage(7);
  open.set_target("replay");
  const grpc::Status status = Append(open)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(),
            "there is no queue or table 'replay'; queues: on_policy; tables: none");
}

TEST_F(ExperienceServiceTest, AnotherSpecIsRefusedWithBoth) {
  auto first = OpenAppender(7);
  v1::AppendOpen open = OpenMessage(8);
  open.mutable_spec()->mutable_columns(1)->set_dtype(v1::DTYPE_FLOAT64);
  const grpc::Status status = Append(open)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("reward float64[]}; wanted {obs float32[2]"));
  first->stream->WritesDone();
  EXPECT_TRUE(first->End().ok());
}

TEST_F(ExperienceServiceTest, AnotherRunIsRefusedWithBoth) {
  v1::AppendOpen open = OpenMessage(7);
  open.set_run_id("run-2");
  const grpc::Status status = Append(open)->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "queue 'on_policy': got run id 'run-2'; wanted 'run-1'");
}

TEST_F(ExperienceServiceTest, ACorruptRolloutIsRefusedByItselfAndTheStreamGoesOn) {
  auto appender = OpenAppender(7);
  v1::Rollout corrupt = ExampleRollout(7, 2, 10, 0);
  corrupt.mutable_columns(0)->pop_back();
  appender->Send(ExampleRollout(7, 1, 10, 0));
  appender->Send(corrupt);
  appender->Send(ExampleRollout(7, 3, 10, 0));
  ASSERT_TRUE(appender->stream->Read(&appender->response));
  EXPECT_EQ(appender->response.refused_sequence(), 2);
  EXPECT_EQ(appender->response.refused_reason(),
            "column 'obs' has 87 bytes; wanted 11 rows of 8 bytes");
  EXPECT_EQ(appender->response.settled_sequence(), 0) << "1 is not";
  EXPECT_TRUE(Eventually([&] { return Info().waiting_rollouts() == 2; }));
  EXPECT_EQ(Info().refused_rollouts(), 1);
  appender->stream->WritesDone();
  EXPECT_TRUE(appender->End().ok());
}

TEST_F(ExperienceServiceTest, AGapEndsTheStream) {
  auto appender = OpenAppender(7);
  appender->Send(ExampleRollout(7, 1, 10, 0));
  appender->Send(ExampleRollout(7, 3, 10, 0));
  const grpc::Status status = appender->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "writer 7 sent sequence 3; wanted 2");
}

TEST_F(ExperienceServiceTest, AFullQueueIsNotReadInto) {
  auto appender = OpenAppender(7);
  constexpr uint64_t kRollouts = 200;
  std::thread writer([&] {
    for (uint64_t sequence = 1; sequence <= kRollouts; ++sequence)
      appender->Send(ExampleRollout(7, sequence, 90, 0));
  });
  ASSERT_TRUE(Eventually([&] { return Info().blocked_writers() == 1; }));
  EXPECT_EQ(Info().waiting_rollouts(), 1);
  auto consumer = OpenConsumer();
  for (uint64_t sequence = 1; sequence <= kRollouts; ++sequence) {
    consumer->Take(90);
    ASSERT_TRUE(consumer->stream->Read(&consumer->response));
    ASSERT_EQ(consumer->response.rollouts_size(), 1);
    EXPECT_EQ(consumer->response.rollouts(0).sequence(), sequence);
    EXPECT_LE(Info().waiting_steps(), 180);
    consumer->Acknowledge(consumer->response.lease_id());
  }
  writer.join();
  appender->context.TryCancel();
  consumer->context.TryCancel();
  appender->End().ok();
  consumer->End().ok();
}

TEST_F(ExperienceServiceTest, AWriterThatVanishesWhileHeldBackLeavesNothingBehind) {
  auto appender = OpenAppender(7);
  appender->Send(ExampleRollout(7, 1, 90, 0));
  appender->Send(ExampleRollout(7, 2, 90, 0));
  ASSERT_TRUE(Eventually([&] { return Info().blocked_writers() == 1; }));
  appender->context.TryCancel();
  EXPECT_TRUE(Eventually([&] { return Info().blocked_writers() == 0; }));
  appender->End().ok();
  appender = OpenAppender(7);
  appender->Send(ExampleRollout(7, 1, 90, 0));
  ASSERT_TRUE(Eventually([&] { return Info().duplicate_rollouts() == 1; }));
  appender->context.TryCancel();
  appender->End().ok();
}

TEST_F(ExperienceServiceTest, AConsumerThatDiesGivesItsLeasesBackInOrder) {
  auto appender = OpenAppender(7);
  for (uint64_t sequence = 1; sequence <= 4; ++sequence)
    appender->Send(ExampleRollout(7, sequence, 10, 0));
  auto dies = OpenConsumer();
  for (int i = 0; i < 3; ++i) {
    dies->Take(10);
    ASSERT_TRUE(dies->stream->Read(&dies->response));
    if (i == 0) dies->Acknowledge(dies->response.lease_id());
  }
  ASSERT_TRUE(Eventually([&] { return Info().acknowledged_rollouts() == 1; }));
  dies->context.TryCancel();
  dies->End().ok();
  ASSERT_TRUE(Eventually([&] { return Info().returned_rollouts() == 2; }));
  auto next = OpenConsumer();
  next->Take(30);
  ASSERT_TRUE(next->stream->Read(&next->response));
  ASSERT_EQ(next->response.rollouts_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(next->response.rollouts(i).SerializeAsString(),
              ExampleRollout(7, static_cast<uint64_t>(i) + 2, 10, 0).SerializeAsString());
  }
  next->stream->WritesDone();
  EXPECT_TRUE(next->End().ok()) << "a clean end returns leases as well";
  EXPECT_TRUE(Eventually([&] { return Info().returned_rollouts() == 5; }));
  EXPECT_EQ(Info().leased_rollouts(), 0);
  appender->context.TryCancel();
  appender->End().ok();
}

TEST_F(ExperienceServiceTest, AConsumerThatDiesWhileItWaitsTakesNothing) {
  auto consumer = OpenConsumer();
  consumer->Take(10);
  ASSERT_TRUE(Eventually([&] { return Info().waiting_consumers() == 1; }));
  consumer->context.TryCancel();
  consumer->End().ok();
  EXPECT_TRUE(Eventually([&] { return Info().waiting_consumers() == 0; }));
}

TEST_F(ExperienceServiceTest, TakesComeOneAtATime) {
  auto consumer = OpenConsumer();
  consumer->Take(10);
  consumer->Take(10);
  EXPECT_EQ(consumer->End().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ExperienceServiceTest, AnUnknownLeaseEndsTheStream) {
  auto consumer = OpenConsumer();
  consumer->Acknowledge(99);
  const grpc::Status status = consumer->End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("lease 99, which is not open on this stream"));
}

TEST_F(ExperienceServiceTest, ATakeThatIsTooLargeIsTold) {
  auto consumer = OpenConsumer();
  consumer->Take(101);
  EXPECT_EQ(consumer->End().error_message(),
            "queue 'on_policy': take of 101 steps; wanted 1 to its capacity of 100");
}

TEST_F(ExperienceServiceTest, StopEndsEveryStreamSoThatClientsTryAgain) {
  auto idle = OpenAppender(7);
  auto held_back = OpenAppender(8);
  held_back->Send(ExampleRollout(8, 1, 90, 0));
  held_back->Send(ExampleRollout(8, 2, 90, 0));
  auto consumer = OpenConsumer();
  consumer->Take(95);
  ASSERT_TRUE(consumer->stream->Read(&consumer->response));
  consumer->Take(95);
  ASSERT_TRUE(Eventually([&] { return Info().waiting_consumers() == 1; }));
  server_.service.Stop(absl::InfiniteDuration());
  EXPECT_EQ(idle->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(held_back->End().error_message(), "the replay server is stopping");
  EXPECT_EQ(consumer->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Append(OpenMessage(9))->End().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Info().leased_rollouts(), 0);
  EXPECT_EQ(Info().waiting_rollouts(), 2);
}

TEST_F(ExperienceServiceTest, InfoCounts) {
  auto appender = OpenAppender(7);
  appender->Send(ExampleRollout(7, 1, 10, 0));
  ASSERT_TRUE(Eventually([&] { return Info().waiting_rollouts() == 1; }));
  grpc::ClientContext context;
  v1::InfoResponse response;
  ASSERT_TRUE(stub_->Info(&context, {}, &response).ok());
  ASSERT_EQ(response.queues_size(), 1);
  EXPECT_EQ(response.queues(0).SerializeAsString(), Info().SerializeAsString());
  EXPECT_EQ(response.queues(0).waiting_steps(), 10);
  appender->context.TryCancel();
  appender->End().ok();
}

}  // namespace
}  // namespace cadre
