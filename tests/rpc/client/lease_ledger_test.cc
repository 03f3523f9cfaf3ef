#include "rpc/client/lease_ledger.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LeaseLedgerTest : public ::testing::Test {
 protected:
  // What the caller gets of a server's lease with these sequences of writer 7.
  std::vector<uint64_t> Receive(uint64_t server_lease, std::vector<uint64_t> sequences,
                                uint64_t lease, uint64_t writer = 7) {
    v1::ConsumeResponse response;
    for (uint64_t sequence : sequences) {
      v1::Rollout* rollout = response.add_rollouts();
      rollout->set_writer_id(writer);
      rollout->set_sequence(sequence);
    }
    std::vector<v1::Rollout> fresh;
    acknowledged_ = ledger_.Receive(server_lease, response, lease, &fresh);
    std::vector<uint64_t> got;
    for (const v1::Rollout& rollout : fresh) got.push_back(rollout.sequence());
    return got;
  }

  LeaseLedger ledger_{10};
  std::vector<uint64_t> acknowledged_;  // By the last Receive.
};

TEST_F(LeaseLedgerTest, AnAcknowledgementIsPassedOn) {
  const uint64_t lease = ledger_.NewLease();
  EXPECT_THAT(Receive(100, {1, 2}, lease), ElementsAre(1, 2));
  EXPECT_THAT(acknowledged_, IsEmpty());
  EXPECT_THAT(*ledger_.Acknowledge(lease), ElementsAre(100));
  EXPECT_EQ(ledger_.Acknowledge(lease).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LeaseLedgerTest, OneLeaseMayBeMadeOfSeveralOfTheServers) {
  const uint64_t lease = ledger_.NewLease();
  Receive(100, {1}, lease);
  Receive(101, {2}, lease);
  EXPECT_THAT(*ledger_.Acknowledge(lease), ElementsAre(100, 101));
}

TEST_F(LeaseLedgerTest, WhatWasUsedIsDroppedAndAcknowledgedAtOnce) {
  const uint64_t lease = ledger_.NewLease();
  Receive(100, {1, 2}, lease);
  ledger_.Disconnect();
  EXPECT_THAT(*ledger_.Acknowledge(lease), IsEmpty()) << "there is nobody to tell";
  EXPECT_THAT(Receive(1, {1, 2}, ledger_.NewLease()), IsEmpty());
  EXPECT_THAT(acknowledged_, ElementsAre(1));
  EXPECT_EQ(ledger_.duplicates(), 2);
}

TEST_F(LeaseLedgerTest, WhatIsInUseIsDroppedAndAcknowledgedAfterItsUse) {
  const uint64_t first = ledger_.NewLease();
  Receive(100, {1, 2}, first);
  ledger_.Disconnect();
  const uint64_t second = ledger_.NewLease();
  EXPECT_THAT(Receive(1, {1, 2, 3}, second), ElementsAre(3));
  EXPECT_THAT(*ledger_.Acknowledge(second), IsEmpty()) << "1 and 2 are not used yet";
  EXPECT_THAT(*ledger_.Acknowledge(first), ElementsAre(1));
}

TEST_F(LeaseLedgerTest, SequencesOfDifferentWritersAreDifferent) {
  Receive(100, {1}, ledger_.NewLease(), 7);
  EXPECT_THAT(Receive(101, {1}, ledger_.NewLease(), 8), ElementsAre(1));
}

TEST_F(LeaseLedgerTest, EarlierSequencesThatCameBackFromAnotherConsumerAreFresh) {
  const uint64_t lease = ledger_.NewLease();
  Receive(100, {5, 6}, lease);
  EXPECT_TRUE(ledger_.Acknowledge(lease).ok());
  EXPECT_THAT(Receive(101, {4}, ledger_.NewLease()), ElementsAre(4));
}

TEST_F(LeaseLedgerTest, TheWritersHeardOfLastAreRemembered) {
  for (uint64_t writer = 1; writer <= 1000; ++writer) {
    const uint64_t lease = ledger_.NewLease();
    Receive(writer, {1}, lease, writer);
    EXPECT_TRUE(ledger_.Acknowledge(lease).ok());
    ASSERT_LE(ledger_.writers(), 20);
  }
  for (uint64_t writer = 991; writer <= 1000; ++writer)
    EXPECT_THAT(Receive(2000 + writer, {1}, ledger_.NewLease(), writer), IsEmpty());
}

}  // namespace
}  // namespace cadre
