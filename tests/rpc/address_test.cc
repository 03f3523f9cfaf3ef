#include "rpc/address.h"

#include <gtest/gtest.h>

#include "rpc/channel.h"

namespace cadre {
namespace {

TEST(AddressTest, HostsOfAllKinds) {
  EXPECT_EQ(ParseAddress("127.0.0.1:5000")->host, "127.0.0.1");
  EXPECT_EQ(ParseAddress("127.0.0.1:5000")->port, 5000);
  EXPECT_EQ(ParseAddress("replay:0")->host, "replay");
  EXPECT_EQ(ParseAddress("[::1]:65535")->host, "::1");
}

TEST(AddressTest, FormatIsTheReverse) {
  for (const char* address : {"127.0.0.1:5000", "replay:1", "[::1]:65535"}) {
    EXPECT_EQ(FormatAddress(*ParseAddress(address)), address);
  }
}

TEST(AddressTest, AnythingElseIsNamedInTheError) {
  for (const char* bad : {"", "replay", ":5000", "replay:", "replay:x", "replay:65536", "replay:-1",
                          "::1:5000", "http://replay:5000", "[]:1"}) {
    EXPECT_EQ(ParseAddress(bad).status().message(),
              std::string("address '") + bad + "' is not host:port");
    EXPECT_EQ(MakeChannel(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace cadre
