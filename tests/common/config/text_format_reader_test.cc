#include "common/config/text_format_reader.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proto/config.pb.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorsOf(absl::string_view text) {
  ExperimentConfig config;
  ErrorList errors;
  ReadTextFormat(text, "a.textproto", &config, &errors);
  return std::string(errors.ToStatus().message());
}

TEST(TextFormatReaderTest, ReadsWhatProtobufsOwnParserReads) {
  const std::string texts[] = {
      "",
      "# only a comment\n",
      "name: 'a\\n\\x41' \"b\" seed: 18446744073709551615",
      "ppo { learning_rate: 3e-4, epochs: 7; objective: ADAPTIVE_KL normalize_advantages: false }",
      "ppo: < gamma: .5 > stop: { mean_return: -110 env_steps: 1000000 }",
      "model { mlp { hidden: [32, 16] hidden: 8 activation: RELU initial_log_std: -0.5 } }",
      "normalization { clip: inf }",
      "stop { mean_return: -inf wall_seconds: 1.5 }",
  };
  for (const std::string& text : texts) {
    ExperimentConfig ours, theirs;
    ErrorList errors;
    ReadTextFormat(text, "x", &ours, &errors);
    EXPECT_EQ(errors.ToStatus(), absl::OkStatus()) << text;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &theirs)) << text;
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(ours, theirs)) << text;
  }
}

TEST(TextFormatReaderTest, ReadsListsOfMessages) {
  CheckpointManifest manifest;
  ErrorList errors;
  ReadTextFormat("files { name: 'a' } files: [{ name: 'b' bytes: -2 }, < name: 'c' >]", "m",
                 &manifest, &errors);
  ASSERT_EQ(errors.ToStatus(), absl::OkStatus());
  ASSERT_EQ(manifest.files_size(), 3);
  EXPECT_EQ(manifest.files(1).bytes(), -2);
  EXPECT_EQ(manifest.files(2).name(), "c");
}

TEST(TextFormatReaderTest, AnEmptyListIsNotAnAbsentOne) {
  const auto is_linear = [](absl::string_view text) {
    ExperimentConfig config;
    ErrorList errors;
    ReadTextFormat(text, "x", &config, &errors);
    EXPECT_EQ(errors.ToStatus(), absl::OkStatus()) << text;
    return config.model().mlp().linear();
  };
  EXPECT_TRUE(is_linear("model { mlp { hidden: [] } }"));
  EXPECT_FALSE(is_linear("model { mlp { hidden: [8] } }"));
  EXPECT_FALSE(is_linear("model { mlp { activation: RELU } }"));
  EXPECT_FALSE(is_linear("model { encoder: [] }")) << "sets nothing";
}

TEST(TextFormatReaderTest, NamesAnUnknownFieldWhereItStandsAndTheValidOnes) {
  EXPECT_EQ(ErrorsOf("seed: 1\nnormalization {\n  rewrads: true\n}"),
            "a.textproto:3:3: unknown field 'normalization.rewrads'; did you mean 'rewards'? "
            "fields of NormalizationConfig: observations, rewards, clip");
  EXPECT_EQ(ErrorsOf("normalization { zzzzzz: 1 }"),
            "a.textproto:1:17: unknown field 'normalization.zzzzzz'; "
            "fields of NormalizationConfig: observations, rewards, clip");
}

TEST(TextFormatReaderTest, SaysWhatAFieldTakes) {
  EXPECT_EQ(
      ErrorsOf("model { mlp { activation: SIGMOID } }"),
      "a.textproto:1:27: model.mlp.activation: got 'SIGMOID'; wanted one of TANH, RELU, GELU, "
      "SILU");
  EXPECT_EQ(ErrorsOf("ppo { gamma: \"x\" }"),
            "a.textproto:1:14: ppo.gamma: got \"x\"; wanted a number from 0 to 1");
  EXPECT_EQ(ErrorsOf("ppo { epochs: 1.5 }"),
            "a.textproto:1:15: ppo.epochs: got '1.5'; wanted an integer from 1 to 1000");
  EXPECT_EQ(ErrorsOf("ppo { minibatch_size: 99999999999 }"),
            "a.textproto:1:23: ppo.minibatch_size: got '99999999999'; "
            "wanted an integer from 1 to 2147483647");
  EXPECT_EQ(ErrorsOf("seed: -1"),
            "a.textproto:1:7: seed: got '-1'; wanted an integer of at least 0");
  EXPECT_EQ(ErrorsOf("normalization { rewards: yes }"),
            "a.textproto:1:26: normalization.rewards: got 'yes'; wanted true or false");
  EXPECT_EQ(ErrorsOf("environment { id: CartPole-v1 }"),
            "a.textproto:1:19: environment.id: got 'CartPole-v1'; wanted a string in quotes");
  EXPECT_EQ(ErrorsOf("seed: 010"),
            "a.textproto:1:7: seed: got '010'; wanted an integer of at least 0");
}

TEST(TextFormatReaderTest, RefusesAFieldThatIsGivenTwice) {
  EXPECT_EQ(ErrorsOf("seed: 1\nseed: 2"), "a.textproto:2:1: seed: given twice; wanted once");
  EXPECT_EQ(ErrorsOf("ppo { gamma: 1 } ppo { }"),
            "a.textproto:1:18: ppo: given twice; wanted once");
}

TEST(TextFormatReaderTest, ReportsEveryWrongFieldAtOnce) {
  const std::string errors = ErrorsOf(
      "nam: 'x'\n"
      "ppo { gama: 0.9 nested { a: [1, { b: 2 }] } epochs: many }\n"
      "actors { mode: SOMETIMES count: 3 }\n"
      "sed: -1 list: [1, 2] text: 'a' 'b'\n");
  const std::vector<std::string> lines = absl::StrSplit(errors, '\n');
  EXPECT_THAT(lines, ElementsAre(StartsWith("a.textproto:1:1: unknown field 'nam'; "),
                                 StartsWith("a.textproto:2:7: unknown field 'ppo.gama'; "),
                                 StartsWith("a.textproto:2:17: unknown field 'ppo.nested'; "),
                                 StartsWith("a.textproto:2:53: ppo.epochs: got 'many'; "),
                                 StartsWith("a.textproto:3:16: actors.mode: got 'SOMETIMES'; "),
                                 StartsWith("a.textproto:4:1: unknown field 'sed'; "),
                                 StartsWith("a.textproto:4:9: unknown field 'list'; "),
                                 StartsWith("a.textproto:4:22: unknown field 'text'; ")));
}

TEST(TextFormatReaderTest, EndsAtASyntaxErrorWithItsPlace) {
  EXPECT_EQ(ErrorsOf("ppo {\n  gamma 0.9\n}"), "a.textproto:2:9: got '0.9'; wanted ':'");
  EXPECT_EQ(ErrorsOf("ppo 3"), "a.textproto:1:5: got '3'; wanted '{'");
  EXPECT_EQ(ErrorsOf("ppo { gamma: 0.9"), "a.textproto:1:17: got the end; wanted a field name");
  EXPECT_EQ(ErrorsOf("ppo { gamma: }"), "a.textproto:1:14: got '}'; wanted a value");
  EXPECT_EQ(ErrorsOf("}"), "a.textproto:1:1: got '}'; wanted a field name");
  EXPECT_EQ(ErrorsOf("[ext]: 1"), "a.textproto:1:1: got '['; wanted a field name");
  EXPECT_EQ(ErrorsOf("ppo { gamma: -}"), "a.textproto:1:15: got '}'; wanted a value");
  EXPECT_EQ(ErrorsOf("model { mlp { hidden: [1 2] } }"), "a.textproto:1:26: got '2'; wanted ']'");
  EXPECT_THAT(ErrorsOf("zz { a: [ }"), HasSubstr("a.textproto:1:11: got '}'; wanted ']'"));
  EXPECT_THAT(ErrorsOf("zz { a: ["), HasSubstr("got the end; wanted ']'"));
  EXPECT_THAT(ErrorsOf("name: \"a\nseed: 1"), StartsWith("a.textproto:1:9: "));
}

TEST(TextFormatReaderTest, SurvivesEveryPrefixAndEveryDamagedByte) {
  const std::string text =
      "name: \"x\" ppo { gamma: -0.5 epochs: 3 } model { mlp { hidden: [1, 2] } } # end\n";
  for (size_t i = 0; i < text.size(); ++i) {
    ErrorsOf(text.substr(0, i));
    for (const char c : {'{', '}', '[', ']', ':', '"', '-', '\0', '\xff', '<'}) {
      std::string damaged = text;
      damaged[i] = c;
      ErrorsOf(damaged);
    }
  }
}

}  // namespace
}  // namespace cadre
