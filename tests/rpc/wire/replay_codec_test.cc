// Held against protobuf's own idea of the same messages, both ways round.
#include "rpc/wire/replay_codec.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kReferredBytes = 10'000;  // Too many to be copied.

std::string Contents(size_t bytes, uint64_t seed) {
  std::string contents(bytes, '\0');
  Random random(seed);
  for (char& c : contents) c = static_cast<char>(random());
  return contents;
}

std::string Flat(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string flat;
  for (const grpc::Slice& slice : slices)
    flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return flat;
}

std::string Flat(const PiecewiseBytes& pieces) {
  std::string flat;
  for (const absl::Span<const std::byte> piece : pieces)
    flat.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  return flat;
}

// Pieces end at `cuts`, which increase.
grpc::ByteBuffer InPieces(const std::string& bytes, const std::vector<size_t>& cuts = {}) {
  std::vector<grpc::Slice> slices;
  size_t begin = 0;
  for (const size_t cut : cuts) {
    slices.emplace_back(bytes.data() + begin, cut - begin);
    begin = cut;
  }
  slices.emplace_back(bytes.data() + begin, bytes.size() - begin);
  return {slices.data(), slices.size()};
}

v1::AppendRequest FullRollout(size_t column_bytes) {
  v1::AppendRequest request;
  v1::Rollout& rollout = *request.mutable_rollout();
  rollout.set_run_id("a run id that is not short");
  rollout.set_writer_id(0xFEDCBA9876543210);
  rollout.set_sequence(uint64_t{1} << 63);
  rollout.set_version(-5);
  rollout.set_actor(-7);
  for (int i = 0; i < 3; ++i) {
    v1::Segment& segment = *rollout.add_segments();
    segment.set_length(100 * i);
    segment.set_end(v1::SEGMENT_END_TERMINATED);
    segment.set_environment(i);
    rollout.add_priorities(0.5f * static_cast<float>(i));
  }
  rollout.add_columns(Contents(column_bytes, 1));
  rollout.add_columns("");
  rollout.add_columns("short");
  v1::Episode& episode = *rollout.add_episodes();
  episode.set_total_reward(-1.25);
  episode.set_length(321);
  return request;
}

// The message that a view shows.
v1::AppendRequest MessageOf(const RolloutView& view) {
  v1::AppendRequest request;
  v1::Rollout& rollout = *request.mutable_rollout();
  rollout.set_run_id(std::string(view.run_id));
  rollout.set_writer_id(view.writer_id);
  rollout.set_sequence(view.sequence);
  rollout.set_version(view.version);
  rollout.set_actor(view.actor);
  for (const v1::Segment& segment : view.segments) *rollout.add_segments() = segment;
  for (const PiecewiseBytes& column : view.columns) rollout.add_columns(Flat(column));
  for (const v1::Episode& episode : view.episodes) *rollout.add_episodes() = episode;
  rollout.mutable_priorities()->Add(view.priorities.begin(), view.priorities.end());
  return request;
}

absl::StatusOr<RolloutView> DecodeView(grpc::ByteBuffer message) {
  absl::StatusOr<AppendMessage> decoded = DecodeAppend(std::move(message));
  if (!decoded.ok()) return decoded.status();
  if (!std::holds_alternative<RolloutView>(*decoded)) return absl::InternalError("not a rollout");
  return std::get<RolloutView>(*std::move(decoded));
}

absl::StatusOr<BatchOnWire> DecodeBatch(grpc::ByteBuffer message) {
  absl::StatusOr<SampleMessage> decoded = DecodeSample(std::move(message));
  if (!decoded.ok()) return decoded.status();
  if (!std::holds_alternative<BatchOnWire>(*decoded)) return absl::InternalError("not a batch");
  return std::get<BatchOnWire>(*std::move(decoded));
}

v1::SampleResponse FullBatch(int items, size_t row_bytes) {
  v1::SampleResponse response;
  v1::SampleBatch& batch = *response.mutable_batch();
  for (int i = 0; i < items; ++i) {
    batch.add_keys(0xABCDEF0000000000 + static_cast<uint64_t>(i));
    batch.add_probabilities(0.01f * static_cast<float>(i));
    batch.add_weights(1.0f / static_cast<float>(i + 1));
    batch.add_ages(i - 3);
  }
  batch.add_columns(Contents(row_bytes * static_cast<size_t>(items), 2));
  batch.add_columns(Contents(4 * static_cast<size_t>(items), 3));
  batch.set_table_items(1'000'000);
  batch.set_table_mass(3.5);
  batch.set_inserted_steps(int64_t{1} << 40);
  batch.add_episodes()->set_total_reward(9);
  return response;
}

v1::SampleResponse MessageOf(const BatchOnWire& wire) {
  v1::SampleResponse response;
  v1::SampleBatch& batch = *response.mutable_batch();
  const auto copy = [&wire](const PiecewiseBytes& pieces, auto* field) {
    field->Resize(static_cast<int>(wire.items), 0);
    const std::string flat = Flat(pieces);
    std::memcpy(field->mutable_data(), flat.data(), flat.size());
  };
  copy(wire.keys, batch.mutable_keys());
  copy(wire.probabilities, batch.mutable_probabilities());
  copy(wire.weights, batch.mutable_weights());
  copy(wire.ages, batch.mutable_ages());
  for (const PiecewiseBytes& column : wire.columns) batch.add_columns(Flat(column));
  batch.set_table_items(wire.table_items);
  batch.set_table_mass(wire.table_mass);
  batch.set_inserted_steps(wire.inserted_steps);
  for (const v1::Episode& episode : wire.episodes) *batch.add_episodes() = episode;
  return response;
}

std::vector<v1::ColumnSpec> Columns(size_t row_bytes) {
  v1::ColumnSpec wide, narrow;
  wide.set_name("obs");
  wide.set_dtype(v1::DTYPE_UINT8);
  wide.add_shape(static_cast<int64_t>(row_bytes));
  narrow.set_name("reward");
  narrow.set_dtype(v1::DTYPE_FLOAT32);
  return {wide, narrow};
}

// --- What is written is what protobuf would have written ---

TEST(ReplayCodecTest, ARolloutIsWrittenAsProtobufWritesIt) {
  for (const size_t bytes : {size_t{0}, size_t{100}, kReferredBytes}) {
    auto request = std::make_shared<v1::AppendRequest>(FullRollout(bytes));
    EXPECT_EQ(Flat(EncodeRollout(request)), request->SerializeAsString());
  }
  auto empty = std::make_shared<v1::AppendRequest>();
  empty->mutable_rollout();
  EXPECT_EQ(Flat(EncodeRollout(empty)), empty->SerializeAsString());
}

TEST(ReplayCodecTest, LargeColumnsAreReferredToAndKeptAlive) {
  auto request = std::make_shared<v1::AppendRequest>(FullRollout(kReferredBytes));
  const std::string expected = request->SerializeAsString();
  const void* const column = request->rollout().columns(0).data();
  std::weak_ptr<v1::AppendRequest> alive = request;
  {
    const grpc::ByteBuffer buffer = EncodeRollout(std::move(request));
    EXPECT_FALSE(alive.expired());
    EXPECT_EQ(Flat(buffer), expected);
    std::vector<grpc::Slice> slices;
    ASSERT_TRUE(buffer.Dump(&slices).ok());
    EXPECT_TRUE(std::any_of(slices.begin(), slices.end(), [column](const grpc::Slice& slice) {
      return static_cast<const void*>(slice.begin()) == column;
    }));
  }
  EXPECT_TRUE(alive.expired());
}

TEST(ReplayCodecTest, ABatchIsWrittenAsProtobufWritesIt) {
  for (const size_t row_bytes : {size_t{8}, kReferredBytes}) {
    const v1::SampleResponse response = FullBatch(5, row_bytes);
    BatchMemoryPool pool;
    const BatchOnWire wire = *DecodeBatch(InPieces(response.SerializeAsString()));
    const BatchInMaking made = *Assemble({&wire, 1}, Columns(row_bytes), pool);
    EXPECT_EQ(Flat(EncodeBatch(made.batch)), response.SerializeAsString());
  }
}

TEST(ReplayCodecTest, AColumnInPiecesIsWrittenAsOne) {
  const v1::SampleResponse response = FullBatch(5, kReferredBytes);
  BatchMemoryPool pool;
  const BatchOnWire wire = *DecodeBatch(InPieces(response.SerializeAsString()));
  BatchInMaking made = *Assemble({&wire, 1}, Columns(kReferredBytes), pool);
  std::vector<PiecewiseBytes> rows(made.batch.columns.size());
  TensorView& column = made.batch.columns[0];
  for (int64_t i = 0; i < 5; ++i)
    rows[0].push_back(column.bytes.subspan(i * kReferredBytes, kReferredBytes));
  column.bytes = {};
  EXPECT_EQ(Flat(EncodeBatch(made.batch, rows)), response.SerializeAsString());
}

// --- What protobuf writes is read ---

TEST(ReplayCodecTest, ARolloutIsReadWhereverItsPiecesEnd) {
  const v1::AppendRequest request = FullRollout(50);
  const std::string bytes = request.SerializeAsString();
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const absl::StatusOr<RolloutView> view = DecodeView(InPieces(bytes, {cut}));
    ASSERT_TRUE(view.ok()) << cut;
    ASSERT_EQ(MessageOf(*view).SerializeAsString(), bytes) << cut;
  }
  std::vector<size_t> every_byte;
  for (size_t cut = 1; cut < bytes.size(); ++cut) every_byte.push_back(cut);
  EXPECT_EQ(MessageOf(*DecodeView(InPieces(bytes, every_byte))).SerializeAsString(), bytes);
}

TEST(ReplayCodecTest, ABatchIsReadWhereverItsPiecesEnd) {
  const std::string bytes = FullBatch(3, 20).SerializeAsString();
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const absl::StatusOr<BatchOnWire> batch = DecodeBatch(InPieces(bytes, {cut}));
    ASSERT_TRUE(batch.ok()) << cut;
    ASSERT_EQ(MessageOf(*batch).SerializeAsString(), bytes) << cut;
  }
}

TEST(ReplayCodecTest, PayloadIsLookedAtInTheMessageWhichTheViewKeepsAlive) {
  const std::string bytes = FullRollout(kReferredBytes).SerializeAsString();
  RolloutView view;
  uintptr_t begin = 0;
  {
    grpc::Slice slice(bytes);
    begin = reinterpret_cast<uintptr_t>(slice.begin());
    view = *DecodeView(grpc::ByteBuffer(&slice, 1));
  }
  ASSERT_EQ(view.columns[0].size(), 1);
  const auto column = reinterpret_cast<uintptr_t>(view.columns[0][0].data());
  EXPECT_GE(column, begin);
  EXPECT_LT(column, begin + bytes.size());
  EXPECT_EQ(Flat(view.columns[0]), Contents(kReferredBytes, 1));
}

TEST(ReplayCodecTest, OpeningMessagesAreRead) {
  v1::AppendRequest request;
  request.mutable_open()->set_run_id("run");
  request.mutable_open()->set_first_sequence(77);
  const AppendMessage append = *DecodeAppend(InPieces(request.SerializeAsString(), {3}));
  EXPECT_EQ(std::get<v1::AppendOpen>(append).first_sequence(), 77);
  v1::SampleResponse response;
  *response.mutable_opened()->add_columns() = Columns(3)[0];
  const SampleMessage sample = *DecodeSample(InPieces(response.SerializeAsString()));
  EXPECT_EQ(std::get<v1::SampleOpened>(sample).columns(0).name(), "obs");
}

// Fields written by hand: (number << 3 | type), value.
std::string InRollout(const std::string& fields) {
  return std::string("\x12") + static_cast<char>(fields.size()) + fields;
}
std::string InBatch(const std::string& fields) { return InRollout(fields); }

TEST(ReplayCodecTest, FieldsComeInAnyOrderAndUnknownOnesAreSkipped) {
  std::string fields = "\x18\x05";  // sequence: 5
  fields += "\x98\x06\x07";         // 99, varint
  fields += "\x9a\x06\x02zz";       // 99, bytes
  fields +=
      "\x99\x06"
      "12345678";  // 99, fixed64
  fields +=
      "\x9d\x06"
      "1234";             // 99, fixed32
  fields += "\x1a\x01q";  // sequence's number with another type
  fields += "\x0a\x01r";  // run_id: "r"
  fields +=
      "\x3a\x02"
      "ab";                              // columns: "ab"
  fields += "\x0a\x01s";                 // run_id: "s": the last one counts
  fields += std::string("\x3a\x00", 2);  // columns: ""
  const std::string bytes = InRollout(fields) + "\x9a\x06\x01z";
  const RolloutView view = *DecodeView(InPieces(bytes));
  EXPECT_EQ(view.sequence, 5);
  EXPECT_EQ(std::string(view.run_id), "s");
  ASSERT_EQ(view.columns.size(), 2);
  EXPECT_EQ(Flat(view.columns[0]), "ab");
  v1::AppendRequest protobufs;
  ASSERT_TRUE(protobufs.ParseFromString(bytes));
  protobufs.mutable_rollout()->DiscardUnknownFields();
  protobufs.DiscardUnknownFields();
  EXPECT_EQ(MessageOf(view).SerializeAsString(), protobufs.SerializeAsString());
}

TEST(ReplayCodecTest, NumbersComePackedOrOneByOne) {
  const std::string one("\0\0\x80\x3f", 4), two("\0\0\0\x40", 4);
  const RolloutView view =
      *DecodeView(InPieces(InRollout("\x4d" + one + "\x4a\x08" + one + two + "\x4d" + two)));
  EXPECT_THAT(view.priorities, ElementsAre(1, 1, 2, 2));

  const std::string key("\x07\0\0\0\0\0\0\0", 8);
  const std::string numbers = "\x09" + key + "\x0a\x08" + key + "\x15" + one + "\x15" + two +
                              "\x1a\x08" + one + two + "\x22\x08" + key + "\x21" + key;
  const BatchOnWire batch = *DecodeBatch(InPieces(InBatch(numbers)));
  EXPECT_EQ(batch.items, 2);
  EXPECT_EQ(Flat(batch.keys), key + key);
  EXPECT_EQ(Flat(batch.weights), one + two);
}

// --- What is damaged is refused or a message, and never read past its end ---

TEST(ReplayCodecTest, AMessageCutShortIsRefused) {
  const std::string rollout = FullRollout(50).SerializeAsString();
  for (size_t size = 0; size < rollout.size(); ++size)
    ASSERT_EQ(DecodeAppend(InPieces(rollout.substr(0, size))).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  const std::string batch = FullBatch(3, 20).SerializeAsString();
  for (size_t size = 0; size < batch.size(); ++size)
    ASSERT_EQ(DecodeSample(InPieces(batch.substr(0, size))).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  EXPECT_FALSE(DecodeAppend(grpc::ByteBuffer()).ok());
}

TEST(ReplayCodecTest, LengthsBeyondTheMessageAreRefused) {
  const std::string huge("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
  EXPECT_FALSE(DecodeAppend(InPieces(huge)).ok());
  EXPECT_FALSE(DecodeAppend(InPieces(InRollout("\x3a\x05"
                                               "abcd")))
                   .ok());
  EXPECT_FALSE(DecodeAppend(InPieces(InRollout("\x4a\x05"
                                               "abcde")))
                   .ok());                                                   // 5 bytes of floats.
  EXPECT_FALSE(DecodeAppend(InPieces(InRollout("\x32\x02\x08\x80"))).ok());  // In a segment.
  EXPECT_FALSE(DecodeAppend(InPieces(InRollout(std::string("\x00\x01", 2)))).ok());  // Field 0.
  EXPECT_FALSE(DecodeAppend(InPieces(InRollout("\x0b\x0c"))).ok());                  // A group.
  EXPECT_FALSE(DecodeAppend(InPieces(std::string(11, '\xff'))).ok());  // An endless tag.
}

TEST(ReplayCodecTest, RandomDamageIsRefusedOrAMessage) {
  const std::string rollout = FullRollout(60).SerializeAsString();
  const std::string batch = FullBatch(4, 15).SerializeAsString();
  Random random(17);
  int refused = 0, good = 0;
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string bytes = trial % 2 == 0 ? rollout : batch;
    for (uint64_t i = 1 + random.Below(4); i > 0; --i)
      bytes[random.Below(bytes.size())] = static_cast<char>(random());
    const grpc::ByteBuffer message = InPieces(bytes, {random.Below(bytes.size())});
    if (trial % 2 == 0) {
      const absl::StatusOr<RolloutView> view = DecodeView(message);
      if (view.ok()) MessageOf(*view);  // Looks at every byte.
      view.ok() ? ++good : ++refused;
    } else {
      const absl::StatusOr<BatchOnWire> view = DecodeBatch(message);
      if (view.ok()) MessageOf(*view);
      view.ok() ? ++good : ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(good, 1000);
}

TEST(ReplayCodecTest, ABatchWhoseFieldsDisagreeIsRefusedAndNamesThem) {
  v1::SampleResponse response = FullBatch(3, 20);
  response.mutable_batch()->add_weights(1);
  const absl::Status status = DecodeBatch(InPieces(response.SerializeAsString())).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "SampleBatch: weights has 16 bytes; wanted 12 for 3 items");
}

// --- Parts become one batch ---

TEST(ReplayCodecTest, PartsAreAssembledIntoOneBatch) {
  const std::string bytes[] = {FullBatch(3, 20).SerializeAsString(),
                               FullBatch(5, 20).SerializeAsString()};
  std::vector<BatchOnWire> parts;
  for (const std::string& part : bytes) parts.push_back(*DecodeBatch(InPieces(part, {40, 77})));
  BatchMemoryPool pool;
  const BatchInMaking made = *Assemble(parts, Columns(20), pool);
  const ReplayBatch& batch = made.batch;
  EXPECT_EQ(batch.items, 8);
  EXPECT_EQ(batch.keys[2], 0xABCDEF0000000002);
  EXPECT_EQ(batch.keys[3], 0xABCDEF0000000000);
  EXPECT_THAT(batch.ages, ElementsAre(-3, -2, -1, -3, -2, -1, 0, 1));
  EXPECT_FLOAT_EQ(batch.weights[7], 0.2f);
  EXPECT_FLOAT_EQ(batch.probabilities[7], 0.04f);
  const auto* const column = reinterpret_cast<const char*>(batch.columns[0].bytes.data());
  EXPECT_EQ(std::string(column, batch.columns[0].bytes.size()), Contents(60, 2) + Contents(100, 2));
  EXPECT_EQ(batch.table_items, 2'000'000);
  EXPECT_EQ(batch.table_mass, 7);
  EXPECT_EQ(batch.inserted_steps, int64_t{1} << 41);
  EXPECT_EQ(batch.episodes.size(), 2);
}

TEST(ReplayCodecTest, PartsThatDoNotFitTheirColumnsAreRefused) {
  const BatchOnWire part = *DecodeBatch(InPieces(FullBatch(3, 20).SerializeAsString()));
  BatchMemoryPool pool;
  const absl::Status wide = Assemble({&part, 1}, Columns(21), pool).status();
  EXPECT_THAT(std::string(wide.message()),
              HasSubstr("column 'obs' has 60 bytes; wanted 63 for 3 items"));
  EXPECT_FALSE(Assemble({&part, 1}, {}, pool).ok());
}

TEST(ReplayCodecTest, ABatchWithoutItemsTellsHowTheTableStands) {
  BatchMemoryPool pool;
  const std::vector<v1::ColumnSpec> columns = Columns(20);
  ReplayBatch empty = AllocateBatch(pool, columns, 0).batch;
  empty.inserted_steps = 7;
  empty.episodes.emplace_back().set_length(3);
  const auto message = DecodeSample(EncodeBatch(empty));
  ASSERT_TRUE(message.ok()) << message.status();
  const auto made = Assemble({&std::get<BatchOnWire>(*message), 1}, columns, pool);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->batch.items, 0);
  EXPECT_EQ(made->batch.inserted_steps, 7);
  ASSERT_EQ(made->batch.episodes.size(), 1);
}

}  // namespace
}  // namespace cadre
