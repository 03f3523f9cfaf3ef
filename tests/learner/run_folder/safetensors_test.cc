#include "learner/run_folder/safetensors.h"

#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// A file by the book: length, header, data.
std::string File(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}

std::string ErrorOf(const std::string& file) {
  const auto decoded = DecodeSafetensors(file, "x.safetensors");
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kDataLoss) << decoded.status();
  return std::string(decoded.status().message());
}

TensorMap SomeTensors() {
  TensorMap tensors;
  tensors.Add<uint8_t>("bytes", {3}, {1, 2, 255});
  tensors.Add<float>("policy.0.weight", {2, 3}, {1, 2, 3, 4, 5, -0.5f});
  tensors.AddScalar<int64_t>("steps", std::numeric_limits<int64_t>::min());
  tensors.Add<double>("nothing", {0, 4}, {});
  tensors.Add<int32_t>("ids", {1}, {-7});
  return tensors;
}

TEST(SafetensorsTest, WritesTheFormatByteForByte) {
  TensorMap tensors;
  tensors.Add<float>("w", {2}, {1.0f, -2.0f});
  const std::string header = R"({"w":{"data_offsets":[0,8],"dtype":"F32","shape":[2]}})";
  const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
  const std::string padded = header + std::string(8 - header.size() % 8, ' ');
  EXPECT_EQ(*EncodeSafetensors(tensors, {}), File(padded, data));
}

TEST(SafetensorsTest, ReadsBackWhatItWrote) {
  const std::string file = *EncodeSafetensors(SomeTensors(), {{"algorithm", "ppo"}, {"a", "b"}});
  const auto decoded = DecodeSafetensors(file, "x");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->metadata, ElementsAre(Pair("a", "b"), Pair("algorithm", "ppo")));
  ASSERT_EQ(decoded->tensors.tensors().size(), 5);
  const TensorMap tensors = SomeTensors();
  for (const NamedTensor& wanted : tensors.tensors()) {
    const NamedTensor* got = decoded->tensors.Find(wanted.name);
    ASSERT_NE(got, nullptr) << wanted.name;
    EXPECT_EQ(got->dtype, wanted.dtype);
    EXPECT_EQ(got->shape, wanted.shape);
    EXPECT_EQ(got->bytes, wanted.bytes);
  }
}

TEST(SafetensorsTest, AlignsEveryTensorAndKeepsTheOrderWithinADtype) {
  TensorMap tensors;
  tensors.Add<uint8_t>("a", {1}, {1});
  tensors.Add<float>("z", {1}, {1});
  tensors.Add<float>("b", {1}, {2});
  tensors.Add<double>("d", {1}, {3});
  const auto decoded = DecodeSafetensors(*EncodeSafetensors(tensors, {}), "x");
  std::vector<std::string> names;
  for (const NamedTensor& tensor : decoded->tensors.tensors()) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("d", "z", "b", "a"));
}

TEST(SafetensorsTest, AnEmptyMapIsAFile) {
  const auto decoded = DecodeSafetensors(*EncodeSafetensors(TensorMap(), {}), "x");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(decoded->tensors.empty());
}

TEST(SafetensorsTest, ReadsTypedValues) {
  const TensorMap tensors = SomeTensors();
  float weights[6];
  ASSERT_TRUE(tensors.Read<float>("policy.0.weight", absl::MakeSpan(weights)).ok());
  EXPECT_THAT(weights, ElementsAre(1, 2, 3, 4, 5, -0.5f));
  EXPECT_EQ(*tensors.ReadScalar<int64_t>("steps"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(tensors.ReadScalar<double>("steps").status().message(),
            "tensor 'steps' is I64[]; wanted 1 values of F64");
  EXPECT_EQ(tensors.ReadScalar<float>("policy.0.weight").status().message(),
            "tensor 'policy.0.weight' is F32[2, 3]; wanted 1 values of F32");
  EXPECT_EQ(tensors.ReadScalar<float>("wieght").status(),
            absl::NotFoundError("no tensor 'wieght'"));
}

TEST(SafetensorsTest, RefusesAHeaderThatDoesNotFit) {
  EXPECT_EQ(ErrorOf("1234567"), "x.safetensors: has 7 bytes; wanted 8 or more");
  EXPECT_EQ(ErrorOf(std::string("\x03\0\0\0\0\0\0\0{}", 10)),
            "x.safetensors: announces a header of 3 bytes; at most 2 fit");
  EXPECT_THAT(ErrorOf(std::string(8, '\xff') + "{}"), HasSubstr("18446744073709551615"));
  EXPECT_THAT(ErrorOf(File(std::string(100'000'001, ' '), "")), HasSubstr("at most 100000000"));
}

TEST(SafetensorsTest, RefusesAHeaderThatIsNoObjectOfTensors) {
  EXPECT_THAT(ErrorOf(File("", "")), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(File("{", "")), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(File("{\"\xff\":1}", "")), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(File("{} {}", "")), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(File("[]", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(ErrorOf(File(std::string(1'000'000, '['), "")), HasSubstr("not JSON"));
  EXPECT_THAT(ErrorOf(File(R"({"w":1})", "")), HasSubstr("needs exactly dtype"));
  EXPECT_THAT(ErrorOf(File(R"({"w":{"dtype":"U8","shape":[0]}})", "")),
              HasSubstr("needs exactly dtype"));
  EXPECT_THAT(ErrorOf(File(R"({"__metadata__":{"a":1}})", "")), HasSubstr("metadata 'a'"));
  EXPECT_THAT(ErrorOf(File(R"({"__metadata__":[]})", "")), HasSubstr("__metadata__"));
}

// One tensor with those fields over four bytes of data.
std::string ErrorOfTensor(const std::string& dtype, const std::string& shape,
                          const std::string& offsets) {
  return ErrorOf(File(absl::StrCat(R"({"w":{"dtype":)", dtype, R"(,"shape":)", shape,
                                   R"(,"data_offsets":)", offsets, "}}"),
                      "1234"));
}

TEST(SafetensorsTest, RefusesATensorThatContradictsItself) {
  EXPECT_EQ(ErrorOfTensor(R"("F16")", "[2]", "[0,4]"),
            "x.safetensors: tensor 'w' has dtype 'F16'; wanted F64, F32, I64, I32 or U8");
  EXPECT_THAT(ErrorOfTensor("1", "[1]", "[0,4]"), HasSubstr("no string"));
  EXPECT_THAT(ErrorOfTensor(R"("F32")", "[-1]", "[0,4]"), HasSubstr("no list of sizes"));
  EXPECT_THAT(ErrorOfTensor(R"("F32")", "[1.0]", "[0,4]"), HasSubstr("no list of sizes"));
  EXPECT_THAT(ErrorOfTensor(R"("F32")", "[9223372036854775808]", "[0,4]"),
              HasSubstr("no list of sizes"));
  EXPECT_THAT(ErrorOfTensor(R"("F32")", "[1]", "[0]"), HasSubstr("no two offsets"));
  EXPECT_THAT(ErrorOfTensor(R"("F32")", "[1]", "[0,4,4]"), HasSubstr("no two offsets"));
  EXPECT_EQ(ErrorOfTensor(R"("F32")", "[2]", "[0,8]"),
            "x.safetensors: tensor 'w' lies at 0 to 8 of 4 data bytes");
  EXPECT_THAT(ErrorOfTensor(R"("U8")", "[1]", "[4,3]"), HasSubstr("lies at 4 to 3"));
  EXPECT_EQ(ErrorOfTensor(R"("F32")", "[1,2]", "[0,4]"),
            "x.safetensors: tensor 'w' has 4 bytes; its shape [1, 2] wants 8");
  // 4 * 2^31 * 2^31 is 2^64, which is 0 where it overflows unseen.
  EXPECT_THAT(ErrorOfTensor(R"("F32")", "[2147483648,2147483648]", "[0,0]"),
              HasSubstr("more than there can be"));
}

TEST(SafetensorsTest, RefusesBytesThatBelongToNoneOrTwo) {
  auto two = [](const std::string& a, const std::string& b) {
    return ErrorOf(File(absl::StrCat(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)", a,
                                     R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)", b, "}}"),
                        "12345"));
  };
  EXPECT_EQ(two("[0,2]", "[1,3]"),
            "x.safetensors: tensor 'b' begins at 1; the one before ends at 2");
  EXPECT_EQ(two("[3,5]", "[0,2]"),
            "x.safetensors: tensor 'a' begins at 3; the one before ends at 2");
  EXPECT_EQ(two("[0,2]", "[2,4]"), "x.safetensors: has 5 data bytes; its tensors have 4");
}

TEST(SafetensorsTest, RefusesTheSameKeyTwice) {
  const std::string tensor = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_EQ(ErrorOf(File(absl::StrCat(R"({"w":)", tensor, R"(,"w":)", tensor, "}"), "1")),
            "x.safetensors: the header has 'w' twice");
  EXPECT_EQ(
      ErrorOf(File(R"({"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", "1")),
      "x.safetensors: the header has 'shape' twice");
  // The same key in two objects is what every header has.
  EXPECT_TRUE(DecodeSafetensors(File(R"({"v":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                     R"("w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                     "12"),
                                "x")
                  .ok());
}

// With no checksum around it not every change can be seen, but none may crash,
// and none may give tensors that do not fit their shape.
TEST(SafetensorsTest, SurvivesAnyByteAndAnyLength) {
  const std::string file = *EncodeSafetensors(SomeTensors(), {{"k", "v"}});
  for (size_t i = 0; i < file.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = file;
      changed[i] ^= 1 << bit;
      const auto decoded = DecodeSafetensors(changed, "x");
      EXPECT_TRUE(decoded.ok() || absl::IsDataLoss(decoded.status())) << decoded.status();
    }
    EXPECT_TRUE(absl::IsDataLoss(DecodeSafetensors(file.substr(0, i), "x").status())) << i;
  }
}

}  // namespace
}  // namespace cadre
