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
  EXPECT_EQ(ParseAddress("unix:/run/replay")->path, "/run/replay");
}

TEST(AddressTest, FormatIsTheReverse) {
  for (const char* address : {"127.0.0.1:5000", "replay:1", "[::1]:65535", "unix:/run/replay"}) {
    EXPECT_EQ(FormatAddress(*ParseAddress(address)), address);
  }
}

TEST(AddressTest, AnythingElseIsNamedInTheError) {
  for (const char* bad : {"", "replay", ":5000", "replay:", "replay:x", "replay:65536", "replay:-1",
                          "::1:5000", "http://replay:5000", "[]:1", "unix:", "unix:replay"}) {
    EXPECT_EQ(ParseAddress(bad).status().message(),
              std::string("address '") + bad + "' is not host:port or unix:/path");
    EXPECT_EQ(MakeChannel(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(AddressTest, APathMustFitASocketsAddress) {
  EXPECT_TRUE(ParseAddress("unix:/" + std::string(106, 'x')).ok());
  EXPECT_EQ(ParseAddress("unix:/" + std::string(107, 'x')).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cadre
