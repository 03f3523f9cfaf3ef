#include "common/files/file_io.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileIoTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/file_io_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Contents(const std::string& name) const {
    const absl::StatusOr<std::string> contents = ReadFile(Path(name));
    return contents.ok() ? *contents : contents.status().ToString();
  }
  std::vector<std::string> Names() const { return *ListDirectory(folder_); }

  std::string folder_;
};

// Files of this process end at so many bytes, as on a full disk (EFBIG).
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    former_handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &former_);
    const rlimit limit{bytes, former_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &former_);
    signal(SIGXFSZ, former_handler_);
  }

 private:
  rlimit former_;
  sighandler_t former_handler_;
};

TEST_F(FileIoTest, WritesAndReadsBack) {
  std::string contents(200'000, 'x');
  contents[7] = '\0';
  contents += "\xff\n";
  ASSERT_EQ(WriteFileAtomically(Path("a"), contents), absl::OkStatus());
  EXPECT_EQ(Contents("a"), contents);
  ASSERT_EQ(WriteFileAtomically(Path("a"), ""), absl::OkStatus());
  EXPECT_EQ(Contents("a"), "");
  EXPECT_THAT(Names(), ElementsAre("a")) << "no temporary file is left";
}

TEST_F(FileIoTest, ReadsFilesThatDoNotKnowTheirSize) {
  EXPECT_THAT(*ReadFile("/proc/self/status"), HasSubstr("Pid:"));
}

TEST_F(FileIoTest, TheOldFileSurvivesAFullDisk) {
  ASSERT_EQ(WriteFileAtomically(Path("a"), "old"), absl::OkStatus());
  {
    const FileSizeLimit limit(1000);
    const absl::Status status = WriteFileAtomically(Path("a"), std::string(2000, 'n'));
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status.message(), "cannot write '" + Path("a") + "': File too large");
  }
  EXPECT_EQ(Contents("a"), "old");
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileIoTest, AnOldReaderKeepsTheOldFile) {
  ASSERT_EQ(WriteFileAtomically(Path("a"), "old"), absl::OkStatus());
  std::filesystem::create_hard_link(Path("a"), Path("same"));
  ASSERT_EQ(WriteFileAtomically(Path("a"), "new"), absl::OkStatus());
  EXPECT_EQ(Contents("a"), "new");
  EXPECT_EQ(Contents("same"), "old") << "written in place";
}

TEST_F(FileIoTest, WritingSaysWhereAndWhy) {
  ASSERT_EQ(WriteFileAtomically(Path("file"), ""), absl::OkStatus());
  const absl::Status under_file = WriteFileAtomically(Path("file/a"), "x");
  EXPECT_EQ(under_file.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(under_file.message(), "cannot write '" + Path("file/a") + "': Not a directory");

  const absl::Status no_folder = WriteFileAtomically(Path("none/a"), "x");
  EXPECT_EQ(no_folder.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(no_folder.message(),
            "cannot write '" + Path("none/a") + "': No such file or directory");

  ASSERT_EQ(MakeDirectories(Path("full/x")), absl::OkStatus());
  const absl::Status over_folder = WriteFileAtomically(Path("full"), "x");
  EXPECT_EQ(over_folder.message(), "cannot write '" + Path("full") + "': Is a directory");
  EXPECT_THAT(Names(), ElementsAre("file", "full"));
}

TEST_F(FileIoTest, AFolderWithoutWritePermissionIsSaidSo) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  chmod(folder_.c_str(), 0500);
  const absl::Status status = WriteFileAtomically(Path("a"), "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(), "cannot write '" + Path("a") + "': Permission denied");
  chmod(folder_.c_str(), 0700);
}

TEST_F(FileIoTest, MakesFoldersAndAcceptsThoseThatAreThere) {
  EXPECT_EQ(MakeDirectories(Path("a/b/c")), absl::OkStatus());
  EXPECT_EQ(MakeDirectories(Path("a/b/c")), absl::OkStatus());
  EXPECT_TRUE(std::filesystem::is_directory(Path("a/b/c")));
  ASSERT_EQ(WriteFileAtomically(Path("file"), ""), absl::OkStatus());
  for (const std::string& name : {Path("file"), Path("file/x")}) {
    const absl::Status status = MakeDirectories(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(status.message(), "cannot make folder '" + name + "': Not a directory");
  }
}

TEST_F(FileIoTest, ListsSorted) {
  for (const char* name : {"c", "a", ".b"})
    ASSERT_EQ(WriteFileAtomically(Path(name), ""), absl::OkStatus());
  EXPECT_THAT(Names(), ElementsAre(".b", "a", "c"));
  EXPECT_EQ(ListDirectory(Path("none")).status().message(),
            "cannot list folder '" + Path("none") + "': No such file or directory");
}

TEST_F(FileIoTest, RemovesATreeButNothingBehindALink) {
  ASSERT_EQ(MakeDirectories(Path("run/old/inner")), absl::OkStatus());
  ASSERT_EQ(MakeDirectories(Path("precious")), absl::OkStatus());
  ASSERT_EQ(WriteFileAtomically(Path("precious/a"), "kept"), absl::OkStatus());
  std::filesystem::create_directory_symlink(Path("precious"), Path("run/old/link"));
  EXPECT_EQ(RemoveTree(Path("run"), "old"), absl::OkStatus());
  EXPECT_THAT(*ListDirectory(Path("run")), ElementsAre());
  EXPECT_EQ(Contents("precious/a"), "kept");
  EXPECT_EQ(RemoveTree(Path("run"), "old"), absl::OkStatus()) << "gone already";
}

TEST_F(FileIoTest, RemovesOnlyInsideTheFolder) {
  ASSERT_EQ(MakeDirectories(Path("run/old")), absl::OkStatus());
  for (const char* name : {"", ".", "..", "../run", "old/inner", "/tmp"})
    EXPECT_EQ(RemoveTree(Path("run"), name).code(), absl::StatusCode::kInvalidArgument) << name;
  EXPECT_EQ(RemoveTree("", "tmp").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(*ListDirectory(Path("run")), ElementsAre("old"));
}

// One bit at a time, by the definition.
uint32_t NaiveCrc32c(absl::string_view data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

TEST(Crc32cTest, EqualsRfc3720) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32cTest, EveryPathEqualsTheDefinitionAtEveryLengthAndSplit) {
  Random random(1);
  std::string data;
  for (int i = 0; i < 100; ++i) data.push_back(static_cast<char>(random.Below(256)));
  for (size_t size = 0; size <= data.size(); ++size) {
    const absl::string_view part = absl::string_view(data).substr(0, size);
    EXPECT_EQ(Crc32c(part), NaiveCrc32c(part));
    EXPECT_EQ(internal::Crc32cByTable(part), NaiveCrc32c(part));
    EXPECT_EQ(Crc32c(part.substr(size / 3), Crc32c(part.substr(0, size / 3))), NaiveCrc32c(part));
  }
}

}  // namespace
}  // namespace cadre
