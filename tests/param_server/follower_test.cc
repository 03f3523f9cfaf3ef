// A read-only replica in front of a real server, over a real connection.
#include "param_server/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "absl/time/clock.h"
#include "rpc/client/gradient_client.h"
#include "rpc/client/parameter_client.h"
#include "rpc/server/server_info.h"
#include "tests/param_server/running_server.h"
#include "tests/param_server/shared_models.h"

namespace cadre {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

class Replica {
 public:
  explicit Replica(const std::string& upstream) : server_("run", "127.0.0.1:0", nullptr, upstream) {
    auto follower = Follower::Create(upstream, &server_.store(), &server_.metrics());
    EXPECT_TRUE(follower.ok()) << follower.status();
    follower_ = *std::move(follower);
  }
  RunningServer& server() { return server_; }
  const std::string& address() const { return server_.address(); }

 private:
  RunningServer server_;
  std::unique_ptr<Follower> follower_;
};

ParameterClientOptions Options(const std::string& address) {
  ParameterClientOptions options;
  options.address = address;
  options.run_id = "run";
  options.model = "policy";
  options.channel.maximum_reconnect_backoff = absl::Milliseconds(50);
  return options;
}

int64_t NewestOf(ParameterSource& source, int64_t than) {
  const auto newer = source.WaitNewer(than, absl::Seconds(60));
  EXPECT_TRUE(newer.ok()) << newer.status();
  return newer.ok() ? (*newer)->version() : 0;
}

TEST(FollowerTest, AReplicaServesWhatItsUpstreamHasAndThenWhatComes) {
  RunningServer upstream("run");
  ASSERT_TRUE(upstream.store().Publish(MakeParameters(3)).ok());
  Replica replica(upstream.address());
  Replica second(replica.address());  // A replica can follow another.
  const auto source = *RemoteParameterSource::Create(Options(second.address()));
  EXPECT_EQ(NewestOf(*source, 0), 3);
  ASSERT_TRUE(upstream.store().Publish(MakeParameters(4)).ok());
  EXPECT_EQ(NewestOf(*source, 3), 4);
  EXPECT_THAT(ValuesOf(*source->Newest()), Each(4.0f));
  ASSERT_TRUE(upstream.store().SetRunState(v1::RUN_STATE_FINISHED).ok());
  EXPECT_EQ(source->WaitNewer(4, absl::InfiniteDuration()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const auto info = FetchParameterInfo(second.address());
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->following(), replica.address());
  EXPECT_EQ(info->run_state(), v1::RUN_STATE_FINISHED);
}

TEST(FollowerTest, AReplicaTakesNothingAndNamesItsUpstream) {
  RunningServer upstream("run");
  Replica replica(upstream.address());
  const std::string refusal =
      "this server is a read-only replica; send it to the one that it follows, " +
      upstream.address();
  const auto sink = *RemoteParameterSink::Create(Options(replica.address()));
  for (const absl::Status& status :
       {sink->Publish(MakeParameters(1)), sink->SetRunState(v1::RUN_STATE_FINISHED)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(refusal));
  }
  GradientClientOptions options;
  options.address = replica.address();
  options.run_id = "run";
  const auto gradients = *RemoteGradientSink::Create(options);
  EXPECT_THAT(std::string(gradients->Start(MakeSharedModel(kSum)).status().message()),
              HasSubstr(refusal));
  EXPECT_THAT(std::string(gradients->Fetch("policy").status().message()), HasSubstr(refusal));
}

TEST(FollowerTest, AReplicaServesOnWhileItsUpstreamIsAway) {
  std::optional<RunningServer> upstream(std::in_place, "run");
  const std::string address = upstream->address();
  ASSERT_TRUE(upstream->store().Publish(MakeParameters(3)).ok());
  Replica replica(address);
  {
    const auto source = *RemoteParameterSource::Create(Options(replica.address()));
    EXPECT_EQ(NewestOf(*source, 0), 3);
  }
  upstream.reset();
  const auto source = *RemoteParameterSource::Create(Options(replica.address()));
  EXPECT_EQ(NewestOf(*source, 0), 3);
  // Back, with an older version: that is no news. Then with a newer one.
  upstream.emplace("run", address);
  ASSERT_TRUE(upstream->store().Publish(MakeParameters(2)).ok());
  ASSERT_TRUE(upstream->store().Publish(MakeParameters(5)).ok());
  EXPECT_EQ(NewestOf(*source, 3), 5);
}

TEST(FollowerTest, Bfloat16IsGivenToThoseWhoAskAndSeenAsFloat32) {
  RunningServer upstream("run");
  Replica replica(upstream.address());
  ParameterClientOptions options = Options(replica.address());
  options.encoding = v1::VALUE_ENCODING_BFLOAT16;
  const auto half = *RemoteParameterSource::Create(options);
  const auto whole = *RemoteParameterSource::Create(Options(replica.address()));
  const auto parameters = MakeParameters(1);
  parameters->set_values(ValuesBytes({1.0f, -2.5f, 3.14159265f, 1e-3f}));
  ASSERT_TRUE(upstream.store().Publish(parameters).ok());
  NewestOf(*half, 0);
  NewestOf(*whole, 0);
  EXPECT_EQ(whole->Newest()->values(), parameters->values());
  EXPECT_EQ(half->Newest()->encoding(), v1::VALUE_ENCODING_FLOAT32);
  EXPECT_EQ(ValuesOf(*half->Newest()), (std::vector<float>{1.0f, -2.5f, 3.140625f, 0x1.06p-10f}));
}

}  // namespace
}  // namespace cadre
