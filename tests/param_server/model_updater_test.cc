#include "param_server/model_updater.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "common/kernels/optimizer.h"
#include "common/random.h"
#include "param_server/parameter_store.h"
#include "tests/param_server/shared_models.h"

namespace cadre {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using Outcome = ModelUpdater::Outcome;

std::unique_ptr<ModelUpdater> Updater(const v1::SharedModel& model) {
  auto updater = ModelUpdater::Create(model);
  EXPECT_TRUE(updater.ok()) << updater.status();
  return *std::move(updater);
}

void Ignore(const ParametersPtr&) {}

v1::ModelInfo Counters(const ModelUpdater& updater) {
  v1::ModelInfo info;
  updater.SaveCounters(info);
  return info;
}

std::vector<float> Normals(Random& random, int count) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

class OneWorkerTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(
    ModelUpdater, OneWorkerTest,
    testing::Values("rms_prop { epsilon: 0.1 epsilon_inside_root: true }",
                    "rms_prop { centered: true } learning_rate_schedule { shape: LINEAR }",
                    "adam {} max_gradient_norm: 0", "sgd { momentum: 0.9 } learning_rate: 0.1"));

TEST_P(OneWorkerTest, ThePushedGradientsMoveTheModelAsALocalOptimiserWouldBitForBit) {
  constexpr int kSize = 133;
  v1::SharedModel model = MakeSharedModel(GetParam(), kSize);
  model.set_schedule_steps(2000);
  const auto updater = Updater(model);
  const auto local = MakeFlatOptimizer(model.optimizer(), kSize);
  std::vector<float> expected(kSize);
  Random random(1);
  for (int64_t step = 1; step <= 300; ++step) {
    const std::vector<float> gradient = Normals(random, kSize);
    local->Step(absl::MakeSpan(expected), gradient,
                ScheduledLearningRate(model.optimizer(), (step - 1) * 10, 2000),
                GradientScale(GradientNorm(gradient), model.optimizer().max_gradient_norm()));
    const auto pushed = updater->Push(MakeGradient(step, gradient, 7, step), Ignore);
    ASSERT_TRUE(pushed.ok()) << pushed.status();
    ASSERT_TRUE(pushed->gradient.applied);
    ASSERT_EQ(pushed->gradient.newest->version(), step + 1);
    ASSERT_EQ(pushed->gradient.newest->env_steps(), step * 10);
    ASSERT_EQ(ValuesOf(*pushed->gradient.newest), expected) << step;
  }
}

TEST(ModelUpdaterTest, CountersAreReadWhileAPushIsUnderWay) {
  const auto updater = Updater(MakeSharedModel(kSum, 3));
  EXPECT_TRUE(updater->Push(MakeGradient(1, {1, 2, 3}, 7, 1), Ignore).ok());
  // Called with the updater's lock.
  int64_t applied = 0;
  const auto install = [&](const ParametersPtr&) {
    applied = Counters(*updater).applied_gradients();
  };
  EXPECT_TRUE(updater->Push(MakeGradient(2, {1, 2, 3}, 7, 2), install).ok());
  EXPECT_EQ(applied, 1);
}

TEST(ModelUpdaterTest, OfEightWorkersThatPushAtOnceNoUpdateIsLost) {
  constexpr int kWorkers = 8, kPushes = 500, kSize = 257;
  const auto updater = Updater(MakeSharedModel(kSum, kSize));
  std::vector<int64_t> installed;
  const auto install = [&](const ParametersPtr& p) { installed.push_back(p->version()); };
  std::vector<std::thread> workers;
  for (int worker = 1; worker <= kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      int64_t version = 1;
      for (int push = 1; push <= kPushes; ++push) {
        const auto pushed = updater->Push(
            MakeGradient(version, std::vector<float>(kSize, static_cast<float>(worker)), worker,
                         push),
            install);
        ASSERT_TRUE(pushed.ok()) << pushed.status();
        version = pushed->gradient.newest->version();
        const std::vector<float> values = ValuesOf(*pushed->gradient.newest);
        ASSERT_THAT(values, Each(values[0]));  // Nobody sees half a step.
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_THAT(ValuesOf(*updater->newest()), Each(-kPushes * 36.0f));  // 1 + 2 + ... + 8
  EXPECT_EQ(updater->newest()->version(), 1 + kWorkers * kPushes);
  EXPECT_EQ(Counters(*updater).applied_gradients(), kWorkers * kPushes);
  ASSERT_EQ(installed.size(), kWorkers * kPushes);
  for (size_t i = 0; i < installed.size(); ++i) ASSERT_EQ(installed[i], i + 2);
}

TEST(ModelUpdaterTest, AGradientThatIsSentAgainCountsOnceAndIsAnsweredAsBefore) {
  const auto updater = Updater(MakeSharedModel(kSum));
  const v1::Gradient gradient = MakeGradient(1, {1, 2, 3, 4}, 9, 1);
  ASSERT_TRUE(updater->Push(gradient, Ignore).ok());
  ASSERT_TRUE(updater->Push(MakeGradient(2, {1, 1, 1, 1}, 8, 1), Ignore).ok());
  const auto again = updater->Push(gradient, Ignore);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->outcome, Outcome::kDuplicate);
  EXPECT_TRUE(again->gradient.applied);
  EXPECT_EQ(again->gradient.lag, 0);
  EXPECT_EQ(again->gradient.newest->version(), 3);
  EXPECT_EQ(ValuesOf(*updater->newest()), (std::vector<float>{-2, -3, -4, -5}));
  EXPECT_EQ(Counters(*updater).duplicate_gradients(), 1);
  EXPECT_EQ(Counters(*updater).applied_gradients(), 2);
  EXPECT_EQ(updater->newest()->env_steps(), 20);
}

TEST(ModelUpdaterTest, WhatIsTooOldIsLeftOutAndItsStepsCountAtOnceAndOnce) {
  const auto updater = Updater(MakeSharedModel(kSum, 4, /*max_gradient_lag=*/1));
  for (uint64_t i = 1; i <= 2; ++i)
    ASSERT_TRUE(
        updater->Push(MakeGradient(static_cast<int64_t>(i), {1, 1, 1, 1}, 5, i), Ignore).ok());
  const v1::Gradient old = MakeGradient(1, {7, 7, 7, 7}, 6, 1);
  ParametersPtr installed;
  const auto install = [&](const ParametersPtr& parameters) { installed = parameters; };
  const ParametersPtr before = updater->newest();
  for (const Outcome outcome : {Outcome::kTooOld, Outcome::kDuplicate}) {
    const auto pushed = updater->Push(old, install);
    ASSERT_TRUE(pushed.ok());
    EXPECT_EQ(pushed->outcome, outcome);
    EXPECT_FALSE(pushed->gradient.applied);
    EXPECT_EQ(pushed->gradient.lag, 2);
    EXPECT_EQ(pushed->gradient.newest->version(), 3);
    EXPECT_EQ(pushed->gradient.newest->env_steps(), 30);
  }
  // Maybe none follows: whoever asks sees them, and so do a snapshot and a checkpoint.
  EXPECT_EQ(installed, updater->newest());
  EXPECT_EQ(updater->newest()->env_steps(), 30);
  EXPECT_EQ(updater->Save().parameters().env_steps(), 30);
  EXPECT_EQ(before->env_steps(), 20) << "what somebody holds does not change";
  EXPECT_EQ(before->values(), updater->newest()->values());
  const auto next = updater->Push(MakeGradient(2, {1, 1, 1, 1}, 6, 2), Ignore);
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE(next->gradient.applied);
  EXPECT_EQ(next->gradient.lag, 1);
  EXPECT_EQ(next->gradient.newest->env_steps(), 40);
  EXPECT_THAT(ValuesOf(*updater->newest()), Each(-3.0f));
  EXPECT_EQ(Counters(*updater).refused_gradients(), 1);
  EXPECT_EQ(Counters(*updater).max_gradient_lag(), 1);
}

TEST(ModelUpdaterTest, AGradientWithoutValuesMovesNothingAndItsStepsCountOnce) {
  const auto updater = Updater(MakeSharedModel("adam {}", 4, /*max_gradient_lag=*/0));
  ASSERT_TRUE(updater->Push(MakeGradient(1, {1, 1, 1, 1}, 5, 1), Ignore).ok());
  const v1::SharedModel before = updater->Save();
  const v1::Gradient nothing = MakeGradient(1, {}, 6, 1);  // Not too old either.
  for (const Outcome outcome : {Outcome::kNoStep, Outcome::kDuplicate}) {
    const auto pushed = updater->Push(nothing, Ignore);
    ASSERT_TRUE(pushed.ok()) << pushed.status();
    EXPECT_EQ(pushed->outcome, outcome);
    EXPECT_EQ(pushed->gradient.newest->version(), 2);
    EXPECT_EQ(pushed->gradient.newest->env_steps(), 20);
  }
  const v1::SharedModel after = updater->Save();
  EXPECT_EQ(after.parameters().values(), before.parameters().values());
  EXPECT_EQ(after.optimizer_state().SerializeAsString(),
            before.optimizer_state().SerializeAsString());
  EXPECT_EQ(Counters(*updater).applied_gradients(), 1);
  EXPECT_EQ(Counters(*updater).refused_gradients(), 0);
}

TEST(ModelUpdaterTest, WhatIsNotFiniteIsRefusedAndTheModelIsAsItWas) {
  const auto updater = Updater(MakeSharedModel("adam {}"));
  ASSERT_TRUE(updater->Push(MakeGradient(1, {1, 2, 3, 4}, 5, 1), Ignore).ok());
  const std::string before = updater->Save().SerializeAsString();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {infinity, -infinity, std::nanf(""), 1e19f}) {
    const absl::Status status =
        updater->Push(MakeGradient(2, {0, 0, bad, 0}, 5, 2), Ignore).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_THAT(
      std::string(
          updater->Push(MakeGradient(2, {0, 0, infinity, 0}, 5, 2), Ignore).status().message()),
      HasSubstr("gradient 2 of learner 5 for 'policy': value 2 is inf; wanted finite numbers"));
  EXPECT_EQ(updater->Save().SerializeAsString(), before);
  EXPECT_EQ(Counters(*updater).broken_gradients(), 5);
  EXPECT_TRUE(updater->Push(MakeGradient(2, {0, 0, 1, 0}, 5, 2), Ignore).ok());  // Still free.
}

TEST(ModelUpdaterTest, GradientsThatMakeNoSenseAreRefused) {
  const auto updater = Updater(MakeSharedModel(kSum));
  const auto code = [&](const v1::Gradient& gradient) {
    return updater->Push(gradient, Ignore).status().code();
  };
  EXPECT_EQ(code(MakeGradient(1, {1, 2, 3}, 5, 1)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(MakeGradient(1, {1, 2, 3, 4}, 0, 1)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(MakeGradient(1, {1, 2, 3, 4}, 5, 0)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(MakeGradient(0, {1, 2, 3, 4}, 5, 1)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(MakeGradient(2, {1, 2, 3, 4}, 5, 1)), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(updater->newest()->version(), 1);
}

TEST(ModelUpdaterTest, AVersionThatSomebodyHoldsNeverChangesAndOneThatNobodyHoldsIsUsedAgain) {
  const auto updater = Updater(MakeSharedModel(kSum, 1000));
  std::vector<ParametersPtr> held;
  std::set<const void*> buffers;
  for (uint64_t i = 1; i <= 100; ++i) {
    const auto pushed = updater->Push(
        MakeGradient(static_cast<int64_t>(i), std::vector<float>(1000, 1.0f), 5, i), Ignore);
    ASSERT_TRUE(pushed.ok());
    if (i <= 5) held.push_back(pushed->gradient.newest);
    buffers.insert(pushed->gradient.newest->values().data());
  }
  for (size_t i = 0; i < held.size(); ++i)
    EXPECT_THAT(ValuesOf(*held[i]), Each(-static_cast<float>(i + 1)));
  EXPECT_LE(buffers.size(), 8);  // 5 that are held, the newest, the next and one that waits.
}

TEST(ModelUpdaterTest, GoesOnFromWhatWasSavedBitForBit) {
  const v1::SharedModel model = MakeSharedModel("rms_prop { centered: true }", 33);
  const auto updater = Updater(model);
  Random random(4);
  for (uint64_t i = 1; i <= 9; ++i)
    ASSERT_TRUE(
        updater->Push(MakeGradient(static_cast<int64_t>(i), Normals(random, 33), 5, i), Ignore)
            .ok());
  const auto restored = Updater(updater->Save());
  const v1::Gradient next = MakeGradient(10, Normals(random, 33), 5, 10);
  const v1::Gradient sent_before = MakeGradient(9, Normals(random, 33), 5, 9);
  EXPECT_EQ(restored->Push(sent_before, Ignore)->outcome, Outcome::kDuplicate);
  ASSERT_TRUE(updater->Push(next, Ignore).ok());
  ASSERT_TRUE(restored->Push(next, Ignore).ok());
  EXPECT_EQ(restored->Save().SerializeAsString(), updater->Save().SerializeAsString());
}

TEST(ModelUpdaterTest, GoesOnFromANewerVersionThatItLostAndFromNoOlderOne) {
  const auto updater = Updater(MakeSharedModel(kSum));
  v1::SharedModel newer = MakeSharedModel(kSum);
  newer.mutable_parameters()->set_version(50);
  newer.mutable_parameters()->set_values(ValuesBytes({5, 5, 5, 5}));
  v1::PushedSequence& pushed = *newer.add_pushed();
  pushed.set_learner_id(5);
  pushed.set_sequence(30);
  ASSERT_EQ(updater->TakeOver(newer, Ignore)->parameters->version(), 50);
  EXPECT_EQ(updater->Push(MakeGradient(49, {1, 1, 1, 1}, 5, 30), Ignore)->outcome,
            Outcome::kDuplicate);
  EXPECT_TRUE(updater->Push(MakeGradient(50, {1, 1, 1, 1}, 5, 31), Ignore)->gradient.applied);
  EXPECT_THAT(ValuesOf(*updater->newest()), Each(4.0f));
  ASSERT_EQ(updater->TakeOver(newer, Ignore)->parameters->version(),
            51);  // 50 is no news any more.
  EXPECT_THAT(ValuesOf(*updater->newest()), Each(4.0f));
  v1::SharedModel other = MakeSharedModel(kSum, 5);
  other.mutable_parameters()->set_version(99);
  EXPECT_EQ(updater->TakeOver(other, Ignore).status().code(),
            absl::StatusCode::kFailedPrecondition);
  other = MakeSharedModel(kSum);
  other.mutable_parameters()->set_layout_fingerprint(1);
  EXPECT_EQ(updater->TakeOver(other, Ignore).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ModelUpdaterTest, StepsOfARefusedGradientThatARestartLostAreTakenOverOnce) {
  const v1::SharedModel model = MakeSharedModel(kSum, 4, /*max_gradient_lag=*/0);
  const auto updater = Updater(model);
  ASSERT_TRUE(updater->Push(MakeGradient(1, {1, 1, 1, 1}, 5, 1), Ignore).ok());
  const auto restarted = Updater(updater->Save());  // From a snapshot.
  const v1::Gradient refused = MakeGradient(1, {1, 1, 1, 1}, 6, 1);
  ASSERT_EQ(updater->Push(refused, Ignore)->outcome, Outcome::kTooOld);
  const v1::SharedModel known = updater->Save();  // To a learner that hands it over.
  for (int i = 0; i < 2; ++i) {
    const auto newest = restarted->TakeOver(known, Ignore);
    ASSERT_TRUE(newest.ok());
    EXPECT_EQ(newest->parameters->version(), 2);
    EXPECT_EQ(newest->parameters->env_steps(), 20);
  }
  EXPECT_EQ(restarted->Push(refused, Ignore)->outcome, Outcome::kDuplicate);
  EXPECT_EQ(restarted->newest()->env_steps(), 20);
}

// A gradient of learner `learner`, which has made `all` steps.
v1::Gradient MakeCounted(int64_t version, uint64_t learner, uint64_t sequence, int64_t all) {
  v1::Gradient gradient = MakeGradient(version, {1, 1, 1, 1}, learner, sequence);
  gradient.set_all_env_steps(all);
  return gradient;
}

TEST(ModelUpdaterTest, StepsThatWereLostCountWithTheNextGradientOfTheirLearner) {
  const auto updater = Updater(MakeSharedModel(kSum, 4, /*max_gradient_lag=*/0));
  ASSERT_TRUE(updater->Push(MakeCounted(1, 5, 1, 10), Ignore).ok());
  const auto restarted = Updater(updater->Save());
  ASSERT_EQ(updater->Push(MakeCounted(1, 6, 1, 10), Ignore)->outcome, Outcome::kTooOld);
  ASSERT_TRUE(updater->Push(MakeCounted(2, 5, 2, 20), Ignore).ok());
  EXPECT_EQ(updater->newest()->env_steps(), 30);

  EXPECT_EQ(restarted->newest()->env_steps(), 10);
  ASSERT_EQ(restarted->Push(MakeCounted(1, 6, 2, 20), Ignore)->outcome, Outcome::kTooOld);
  EXPECT_EQ(restarted->newest()->env_steps(), 30);
  ASSERT_EQ(restarted->Push(MakeCounted(2, 5, 3, 30), Ignore)->outcome, Outcome::kApplied);
  EXPECT_EQ(restarted->newest()->env_steps(), 50);
}

TEST(ModelUpdaterTest, WhatTwoHaveCountedTogetherCountsOnceWhoeverIsNewer) {
  const auto begun = Updater(MakeSharedModel(kSum));
  ASSERT_TRUE(begun->Push(MakeCounted(1, 5, 1, 10), Ignore).ok());
  for (const bool newer : {false, true}) {
    // Both go on from the same version.
    const auto one = Updater(begun->Save()), other = Updater(begun->Save());
    for (uint64_t i = 2; i <= 4; ++i)
      ASSERT_TRUE(one->Push(MakeCounted(2, 5, i, 10 * static_cast<int64_t>(i)), Ignore).ok());
    ASSERT_TRUE(other->Push(MakeCounted(2, 5, 2, 20), Ignore).ok());
    ASSERT_TRUE(other->Push(MakeCounted(2, 6, 1, 7), Ignore).ok());
    const auto& into = newer ? other : one;
    const v1::SharedModel from = (newer ? one : other)->Save();
    for (int i = 0; i < 2; ++i) {
      const auto newest = into->TakeOver(from, Ignore);
      ASSERT_TRUE(newest.ok());
      EXPECT_EQ(newest->parameters->version(), 5);
      EXPECT_EQ(newest->parameters->env_steps(), 47) << "40 of learner 5 and 7 of learner 6";
      ASSERT_EQ(newest->learners.size(), 2);
      EXPECT_EQ(newest->learners[0].env_steps() + newest->learners[1].env_steps(), 47);
    }
    ASSERT_TRUE(into->Push(MakeCounted(5, 6, 2, 14), Ignore).ok());
    EXPECT_EQ(into->newest()->env_steps(), 54);
  }
}

// --- In the store ---

TEST(SharedModelsTest, TheFirstWhoStartsAModelDecidesWhatItIs) {
  ParameterStore store("run");
  ASSERT_TRUE(store.StartModel(MakeSharedModel(kSum)).ok());
  ASSERT_TRUE(store.PushGradient(MakeGradient(1, {1, 1, 1, 1}, 5, 1)).ok());
  v1::SharedModel second = MakeSharedModel("adam {}");
  second.mutable_parameters()->set_values(ValuesBytes({9, 9, 9, 9}));
  const auto newest = store.StartModel(second);
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(newest->parameters->version(), 2);
  EXPECT_THAT(ValuesOf(*newest->parameters), Each(-1.0f));
  EXPECT_TRUE(store.FetchModel("policy")->optimizer().has_sgd());
  EXPECT_EQ(store.Publish(MakeParameters(9)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SharedModelsTest, EachPushIsAVersionForThoseWhoFollow) {
  ParameterStore store("run");
  ASSERT_TRUE(store.StartModel(MakeSharedModel(kSum)).ok());
  std::thread follower([&store] {
    const auto newer = store.WaitNewer("policy", 1, absl::InfiniteDuration());
    ASSERT_TRUE(newer.ok());
    EXPECT_EQ((*newer)->version(), 2);
  });
  ASSERT_TRUE(store.PushGradient(MakeGradient(1, {1, 1, 1, 1}, 5, 1)).ok());
  follower.join();
  const std::vector<v1::ModelInfo> models = store.Models();
  ASSERT_EQ(models.size(), 1);
  EXPECT_TRUE(models[0].shared());
  EXPECT_EQ(models[0].version(), 2);
  EXPECT_EQ(models[0].applied_gradients(), 1);
  EXPECT_EQ(models[0].env_steps(), 10);
}

TEST(SharedModelsTest, StepsOfARefusedGradientAreNoVersionForThoseWhoFollow) {
  ParameterStore store("run");
  ASSERT_TRUE(store.StartModel(MakeSharedModel(kSum, 4, 0)).ok());
  ASSERT_TRUE(store.PushGradient(MakeGradient(1, {1, 1, 1, 1}, 5, 1)).ok());
  const int64_t publications = store.Models()[0].publications();
  EXPECT_FALSE(store.PushGradient(MakeGradient(1, {1, 1, 1, 1}, 6, 1))->gradient.applied);
  EXPECT_EQ(store.Models()[0].env_steps(), 20);
  EXPECT_EQ(store.Models()[0].version(), 2);
  EXPECT_EQ(store.Models()[0].publications(), publications);
  EXPECT_EQ(store.Read("policy").newest->env_steps(), 20);
  EXPECT_EQ(store.FetchModel("policy")->parameters().env_steps(), 20);
  EXPECT_EQ(store.WaitNewer("policy", 2, absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(SharedModelsTest, WhatCannotTakeGradientsSaysWhy) {
  ParameterStore store("run");
  const v1::Gradient gradient = MakeGradient(1, {1, 1, 1, 1}, 5, 1);
  EXPECT_EQ(store.PushGradient(gradient).status(),
            absl::NotFoundError("no shared model 'policy' was started here"));
  ASSERT_TRUE(store.Publish(MakeParameters(1)).ok());
  EXPECT_EQ(store.PushGradient(gradient).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store.StartModel(MakeSharedModel(kSum)).status(),
            absl::FailedPreconditionError("model 'policy' is published here, not shared"));
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_FINISHED).ok());
  EXPECT_EQ(store.PushGradient(gradient).status(),
            absl::FailedPreconditionError("run 'run' is FINISHED"));
  store.Close();
  EXPECT_EQ(store.PushGradient(gradient).status().code(), absl::StatusCode::kUnavailable);
}

TEST(SharedModelsTest, ASnapshotHoldsEverything) {
  ParameterStore store("run");
  ASSERT_TRUE(store.StartModel(MakeSharedModel("adam {}", 4, 0)).ok());
  ASSERT_TRUE(store.PushGradient(MakeGradient(1, {1, 2, 3, 4}, 5, 1)).ok());
  ASSERT_TRUE(store.PushGradient(MakeGradient(1, {1, 2, 3, 4}, 6, 1)).ok());  // Too old.
  const auto published = MakeParameters(7);
  published->set_model("target");
  ASSERT_TRUE(store.Publish(published).ok());
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_PAUSED).ok());
  const ParameterStore::Snapshot snapshot = store.Save();
  ParameterStore restored("run");
  ASSERT_TRUE(restored.Restore(snapshot).ok());
  EXPECT_EQ(restored.Read("policy").run_state, v1::RUN_STATE_PAUSED);
  EXPECT_EQ(restored.Read("target").newest->version(), 7);
  const ParameterStore::Snapshot again = restored.Save();
  ASSERT_EQ(again.models.size(), 2);
  EXPECT_EQ(again.models[0].info().DebugString(), snapshot.models[0].info().DebugString());
  EXPECT_EQ(again.models[0].info().refused_gradients(), 1);
  for (ParameterStore* each : {&store, &restored})
    ASSERT_TRUE(each->PushGradient(MakeGradient(2, {1, -1, 1, -1}, 5, 2)).ok());
  EXPECT_EQ(restored.Read("policy").newest->values(), store.Read("policy").newest->values());

  ParameterStore other("tuesday");
  EXPECT_EQ(other.Restore(snapshot).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cadre
