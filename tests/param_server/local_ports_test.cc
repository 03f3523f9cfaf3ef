#include "param_server/local_ports.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/param_server/test_parameters.h"

namespace cadre {
namespace {

TEST(LocalPortsTest, WhatTheSinkTakesTheSourceGivesUncopied) {
  ParameterStore store("run");
  StoreSource source(&store, "policy");
  StoreSink sink(&store);
  EXPECT_EQ(source.Newest(), nullptr);
  const ParametersPtr published = MakeParameters(1);
  ASSERT_TRUE(sink.Publish(published).ok());
  EXPECT_EQ(source.Newest(), published);
  EXPECT_EQ(*source.WaitNewer(0, absl::ZeroDuration()), published);
}

TEST(LocalPortsTest, TheSourceFollowsTheRunState) {
  ParameterStore store("run");
  StoreSource source(&store, "policy");
  StoreSink sink(&store);
  EXPECT_EQ(source.run_state(), v1::RUN_STATE_RUNNING);
  std::thread waiting([&source] {
    EXPECT_TRUE(absl::IsFailedPrecondition(source.WaitNewer(0, absl::InfiniteDuration()).status()));
  });
  ASSERT_TRUE(sink.SetRunState(v1::RUN_STATE_FINISHED).ok());
  waiting.join();
  EXPECT_EQ(source.run_state(), v1::RUN_STATE_FINISHED);
}

TEST(LocalPortsTest, CloseEndsOnlyTheWaitsOfThatSource) {
  ParameterStore store("run");
  StoreSource closed(&store, "policy"), open(&store, "policy");
  std::thread cancelled([&closed] {
    EXPECT_TRUE(absl::IsCancelled(closed.WaitNewer(0, absl::InfiniteDuration()).status()));
  });
  std::thread served([&open] { EXPECT_TRUE(open.WaitNewer(0, absl::InfiniteDuration()).ok()); });
  closed.Close();
  cancelled.join();
  ASSERT_TRUE(store.Publish(MakeParameters(1)).ok());
  served.join();
}

TEST(LocalPortsTest, AClosedSinkLeavesTheStoreOpen) {
  ParameterStore store("run");
  StoreSink closed(&store), open(&store);
  closed.Close();
  EXPECT_TRUE(absl::IsCancelled(closed.Publish(MakeParameters(1))));
  EXPECT_TRUE(absl::IsCancelled(closed.SetRunState(v1::RUN_STATE_PAUSED)));
  EXPECT_TRUE(open.Publish(MakeParameters(1)).ok());
}

}  // namespace
}  // namespace cadre
