#include "rpc/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/server/server.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

class TlsTest : public testing::Test {
 protected:
  TlsTest() : root_(absl::StrCat(testing::TempDir(), "/cadre-tls-", getpid())) {}
  ~TlsTest() override {
    unsetenv(kTlsFolderVariable);
    std::filesystem::remove_all(root_);
  }

  // Certificates of an authority of their own.
  std::string Certificates(const std::string& name) const {
    const std::string folder = absl::StrCat(root_, "/", name);
    const std::string command = absl::StrCat(CADRE_MAKE_CERTIFICATES, " ", folder);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return folder;
  }
  static void Use(const std::string& folder) { setenv(kTlsFolderVariable, folder.c_str(), 1); }

  std::unique_ptr<RpcServer> Serve() {
    auto server = RpcServer::Create("127.0.0.1:0", {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }
  // UNIMPLEMENTED: the server was reached. UNAVAILABLE: it was not.
  static grpc::StatusCode Call(const RpcServer& server) {
    const auto channel = MakeChannel(server.address());
    EXPECT_TRUE(channel.ok()) << channel.status();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::ParameterInfoResponse response;
    return v1::ParameterService::NewStub(*channel)
        ->ParameterInfo(&context, v1::ParameterInfoRequest(), &response)
        .error_code();
  }

 private:
  const std::string root_;
  v1::ParameterService::Service service_;
};

TEST_F(TlsTest, ThoseOfOneAuthorityUnderstandEachOther) {
  Use(Certificates("ours"));
  const auto server = Serve();
  EXPECT_EQ(Call(*server), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(TlsTest, AClientOfAnotherAuthorityIsRefused) {
  Use(Certificates("ours"));
  const auto server = Serve();
  const std::string theirs = Certificates("theirs");
  Use(theirs);
  EXPECT_EQ(Call(*server), grpc::StatusCode::UNAVAILABLE);
  // Also where it trusts the server: the server does not trust it.
  std::filesystem::copy_file(absl::StrCat(theirs, "/../ours/ca.crt"),
                             absl::StrCat(theirs, "/ca.crt"),
                             std::filesystem::copy_options::overwrite_existing);
  const std::string trusting = absl::StrCat(theirs, "-trusting");
  std::filesystem::rename(theirs, trusting);
  Use(trusting);
  EXPECT_EQ(Call(*server), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, PlainTextIsRefused) {
  Use(Certificates("ours"));
  const auto server = Serve();
  unsetenv(kTlsFolderVariable);
  EXPECT_EQ(Call(*server), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, AFileThatIsMissingIsNamed) {
  const std::string folder = Certificates("missing");
  std::filesystem::remove(absl::StrCat(folder, "/tls.key"));
  Use(folder);
  const absl::Status status = MakeChannel("localhost:1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("CADRE_TLS_FOLDER"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat(folder, "/tls.key")));
}

TEST_F(TlsTest, AFileThatIsSomethingElseIsNamed) {
  const std::string folder = Certificates("broken");
  std::ofstream(absl::StrCat(folder, "/ca.crt")) << "not a certificate";
  Use(folder);
  const absl::Status status = RpcServer::Create("127.0.0.1:0", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat(folder, "/ca.crt holds no CERTIFICATE in PEM")));
}

}  // namespace
}  // namespace cadre
