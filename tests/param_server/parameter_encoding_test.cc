#include "param_server/parameter_encoding.h"

#include <gtest/gtest.h>

#include "google/protobuf/util/message_differencer.h"
#include "rpc/wire/message_bytes.h"
#include "tests/param_server/test_parameters.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::util::MessageDifferencer;

// Sets every field that the schema has, so that one added later is not forgotten.
std::shared_ptr<v1::Parameters> MakeWithEveryField() {
  std::shared_ptr<v1::Parameters> parameters = MakeParameters(7, 300);
  v1::Statistic* statistic = parameters->add_statistics();
  statistic->set_name("observation.mean");
  statistic->add_values(0.25);
  parameters->set_encoding(v1::VALUE_ENCODING_BFLOAT16);
  const auto* descriptor = v1::Parameters::descriptor();
  std::vector<const FieldDescriptor*> set;
  parameters->GetReflection()->ListFields(*parameters, &set);
  EXPECT_EQ(set.size(), descriptor->field_count()) << "set the new field in this test, too";
  return parameters;
}

TEST(ParameterEncodingTest, AResponseIsWhatProtobufWouldHaveMade) {
  const std::shared_ptr<v1::Parameters> parameters = MakeWithEveryField();
  const grpc::ByteBuffer bytes = EncodeResponse(parameters, v1::RUN_STATE_PAUSED);
  v1::WatchResponse expected;
  *expected.mutable_parameters() = *parameters;
  expected.set_run_state(v1::RUN_STATE_PAUSED);
  EXPECT_EQ(bytes.Length(), expected.ByteSizeLong());

  v1::WatchResponse watch;
  ASSERT_TRUE(ParseMessage(bytes, &watch).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(watch, expected));
  v1::FetchResponse fetch;
  ASSERT_TRUE(ParseMessage(bytes, &fetch).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(fetch.parameters(), *parameters));
  EXPECT_EQ(fetch.run_state(), v1::RUN_STATE_PAUSED);
}

TEST(ParameterEncodingTest, AnAnswerToAPushIsWhatProtobufWouldHaveMade) {
  ModelUpdater::Pushed pushed;
  pushed.gradient = {true, 3, MakeWithEveryField()};
  v1::PushedSequence& learner = pushed.learners.emplace_back();
  learner.set_learner_id(77);
  learner.set_sequence(12);
  learner.set_refused(true);
  v1::PushGradientResponse response, expected;
  const grpc::ByteBuffer bytes = EncodePushResponse(pushed, v1::RUN_STATE_RUNNING);
  ASSERT_TRUE(ParseMessage(bytes, &response).ok());
  expected.set_applied(true);
  expected.set_lag(3);
  *expected.mutable_parameters() = *pushed.gradient.newest;
  expected.set_run_state(v1::RUN_STATE_RUNNING);
  *expected.add_pushed() = learner;
  EXPECT_TRUE(MessageDifferencer::Equals(response, expected));
  EXPECT_EQ(bytes.Length(), expected.ByteSizeLong());
}

TEST(ParameterEncodingTest, WithoutParametersOnlyTheStateIsSent) {
  v1::WatchResponse watch;
  ASSERT_TRUE(ParseMessage(EncodeResponse(nullptr, v1::RUN_STATE_RUNNING), &watch).ok());
  EXPECT_FALSE(watch.has_parameters());
  EXPECT_EQ(watch.run_state(), v1::RUN_STATE_RUNNING);
}

TEST(ParameterEncodingTest, TheBytesShareTheVersionAndKeepItAlive) {
  std::weak_ptr<v1::Parameters> alive;
  {
    grpc::ByteBuffer bytes;
    {
      const std::shared_ptr<v1::Parameters> parameters = MakeParameters(1, 100000);
      alive = parameters;
      bytes = EncodeResponse(parameters, v1::RUN_STATE_RUNNING);
      std::vector<grpc::Slice> slices;
      ASSERT_TRUE(bytes.Dump(&slices).ok());
      ASSERT_EQ(slices.size(), 2);
      EXPECT_EQ(static_cast<const void*>(slices[1].begin()), parameters->values().data());
    }
    EXPECT_FALSE(alive.expired());
  }
  EXPECT_TRUE(alive.expired());
}

TEST(ParameterEncodingTest, RubbishIsNotAMessage) {
  const grpc::Slice slice("\xff\xff\xff");
  v1::WatchRequest request;
  const absl::Status status = ParseMessage(grpc::ByteBuffer(&slice, 1), &request);
  EXPECT_EQ(status.message(), "3 bytes that are not a cadre.v1.WatchRequest");
}

}  // namespace
}  // namespace cadre
