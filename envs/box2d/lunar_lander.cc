#include "envs/box2d/lunar_lander.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "common/check.h"
#include "envs/box2d/engine.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

// Constants of gymnasium/envs/box2d/lunar_lander.py 1.4, in its units: lengths in pixels,
// of which kScale are a metre.
constexpr double kStepsPerSecond = 50;
constexpr double kScale = 30;
constexpr double kMainPower = 13;
constexpr double kSidePower = 0.6;
constexpr double kInitialForce = 1000;  // N, at most, in each direction.
constexpr double kLegAway = 20, kLegDown = 18, kLegWidth = 2, kLegHeight = 8;
constexpr double kSpringTorque = 40;
constexpr double kSideHeight = 14;
constexpr double kSideLever = 17;  // Where Gymnasium's side engines push; not kSideHeight.
constexpr double kSideAway = 12;
constexpr double kMainHeight = 4;
constexpr std::array<std::array<double, 2>, 6> kHull = {
    {{-14, 17}, {-17, 0}, {-17, -10}, {17, -10}, {17, 0}, {14, 17}}};
constexpr double kWidth = 600 / kScale, kHeight = 400 / kScale;  // Metres.
constexpr double kPadHeight = kHeight / 4;
constexpr int kChunks = 11;
constexpr int kVelocityIterations = 180, kPositionIterations = 60;

// The ground: kChunks points of equal distance, smoothed, five of them level for the pad.
std::array<double, kChunks> DrawGround(Random& random) {
  std::array<double, kChunks + 1> height;
  for (double& value : height) value = random.Uniform(0, kHeight / 2);
  for (int i = kChunks / 2 - 2; i <= kChunks / 2 + 2; ++i) height[i] = kPadHeight;
  std::array<double, kChunks> smooth;
  for (int i = 0; i < kChunks; ++i) {
    const double left = height[(i + kChunks) % (kChunks + 1)];  // The last one's for the first.
    smooth[i] = 0.33 * (left + height[i] + height[i + 1]);
  }
  return smooth;
}

struct Throttle {
  double main = 0;            // 0 or 0.5 to 1.
  double side = 0;            // 0 or 0.5 to 1.
  double side_direction = 0;  // -1 left, 1 right.
};

Throttle DiscreteThrottle(int32_t action) {
  Throttle result;
  if (action == 2) result.main = 1;
  if (action == 1 || action == 3) {
    result.side = 1;
    result.side_direction = action - 2;
  }
  return result;
}

Throttle ContinuousThrottle(double main, double side) {
  Throttle result;
  if (main > 0) result.main = (main + 1) * 0.5;
  if (std::abs(side) > 0.5) {
    result.side = std::abs(side);
    result.side_direction = side > 0 ? 1 : -1;
  }
  return result;
}

}  // namespace

class LunarLanderWorld final : public b2ContactListener {
 public:
  explicit LunarLanderWorld(const LunarLanderParameters& parameters) : parameters_(parameters) {}

  void Start(Random& random);
  StepResult Step(const Throttle& throttle, Random& random);
  std::array<double, 8> Observation() const;

  void BeginContact(b2Contact* contact) override;
  void EndContact(b2Contact* contact) override;

 private:
  void AddGround(Random& random);
  void AddLander(Random& random);
  void AddLeg(int side);
  void Blow();
  void FireMain(double power, const std::array<double, 2>& dispersion);
  void FireSide(double power, double direction, const std::array<double, 2>& dispersion);
  bool Touches(const b2Contact& contact, const b2Body* body) const {
    return contact.GetFixtureA()->GetBody() == body || contact.GetFixtureB()->GetBody() == body;
  }

  const LunarLanderParameters parameters_;
  // A new world for each episode: what Box2D allocated before would show in the order of
  // contacts. In place, as it is 100 KB.
  std::optional<b2World> world_;
  b2Body* lander_ = nullptr;
  std::array<b2Body*, 2> legs_ = {};
  std::array<bool, 2> leg_contact_ = {};
  bool crashed_ = false;
  std::optional<double> shaping_;
  int64_t wind_index_ = 0, torque_index_ = 0;
};

void LunarLanderWorld::Start(Random& random) {
  world_.emplace(Vector(0, parameters_.gravity));
  world_->SetContactListener(this);
  leg_contact_ = {};
  crashed_ = false;
  shaping_.reset();
  AddGround(random);
  AddLander(random);
  if (parameters_.enable_wind) {
    wind_index_ = static_cast<int64_t>(random.Below(2 * 9999)) - 9999;
    torque_index_ = static_cast<int64_t>(random.Below(2 * 9999)) - 9999;
  }
  for (const int side : {-1, 1}) AddLeg(side);
}

void LunarLanderWorld::AddGround(Random& random) {
  const std::array<double, kChunks> y = DrawGround(random);
  const b2BodyDef definition;
  b2Body* ground = world_->CreateBody(&definition);
  b2EdgeShape edge;
  SetEdge(Vector(0, 0), Vector(kWidth, 0), edge);
  b2FixtureDef fixture;
  fixture.shape = &edge;
  ground->CreateFixture(&fixture);
  fixture.friction = 0.1f;
  for (int i = 0; i + 1 < kChunks; ++i) {
    constexpr double kStep = kWidth / (kChunks - 1);
    SetEdge(Vector(kStep * i, y[i]), Vector(kStep * (i + 1), y[i + 1]), edge);
    ground->CreateFixture(&fixture);
  }
}

void LunarLanderWorld::AddLander(Random& random) {
  b2BodyDef definition;
  definition.type = b2_dynamicBody;
  definition.position = Vector(kWidth / 2, kHeight);
  lander_ = world_->CreateBody(&definition);
  std::array<b2Vec2, kHull.size()> corners;
  for (size_t i = 0; i < kHull.size(); ++i)
    corners[i] = Vector(kHull[i][0] / kScale, kHull[i][1] / kScale);
  b2PolygonShape hull;
  hull.Set(corners.data(), corners.size());
  b2FixtureDef fixture;
  fixture.shape = &hull;
  fixture.density = 5;
  fixture.friction = 0.1f;
  fixture.filter.categoryBits = 0x10;
  fixture.filter.maskBits = 0x01;  // The ground only.
  lander_->CreateFixture(&fixture);
  const double x = random.Uniform(-kInitialForce, kInitialForce);
  const double y = random.Uniform(-kInitialForce, kInitialForce);
  lander_->ApplyForceToCenter(Vector(x, y), true);
}

void LunarLanderWorld::AddLeg(int side) {
  b2BodyDef definition;
  definition.type = b2_dynamicBody;
  definition.position = Vector(kWidth / 2 - side * kLegAway / kScale, kHeight);
  definition.angle = static_cast<float>(side * 0.05);
  b2Body* leg = world_->CreateBody(&definition);
  b2PolygonShape box;
  box.SetAsBox(static_cast<float>(kLegWidth / kScale), static_cast<float>(kLegHeight / kScale));
  b2FixtureDef fixture;
  fixture.shape = &box;
  fixture.density = 1;
  fixture.filter.categoryBits = 0x20;
  fixture.filter.maskBits = 0x01;
  leg->CreateFixture(&fixture);

  b2RevoluteJointDef joint;
  joint.bodyA = lander_;
  joint.bodyB = leg;
  joint.referenceAngle = leg->GetAngle();  // pybox2d's default: the angle at the start is 0.
  joint.localAnchorB = Vector(side * kLegAway / kScale, kLegDown / kScale);
  joint.enableMotor = joint.enableLimit = true;
  joint.maxMotorTorque = static_cast<float>(kSpringTorque);
  joint.motorSpeed = static_cast<float>(0.3 * side);
  joint.lowerAngle = static_cast<float>(side < 0 ? 0.9 - 0.5 : -0.9);
  joint.upperAngle = static_cast<float>(side < 0 ? 0.9 : -0.9 + 0.5);
  world_->CreateJoint(&joint);
  legs_[side < 0 ? 0 : 1] = leg;
}

// Sums of incommensurable waves, which never repeat.
void LunarLanderWorld::Blow() {
  const auto gust = [](int64_t& index) {
    const double k = static_cast<double>(index++);
    return std::tanh(std::sin(0.02 * k) + std::sin(std::numbers::pi * 0.01 * k));
  };
  lander_->ApplyForceToCenter(Vector(gust(wind_index_) * parameters_.wind_power, 0), true);
  lander_->ApplyTorque(static_cast<float>(gust(torque_index_) * parameters_.turbulence_power),
                       true);
}

void LunarLanderWorld::FireMain(double power, const std::array<double, 2>& dispersion) {
  const double angle = lander_->GetAngle(), sine = std::sin(angle), cosine = std::cos(angle);
  const double down = kMainHeight / kScale + 2 * dispersion[0];
  const double x = sine * down - cosine * dispersion[1];
  const double y = -cosine * down - sine * dispersion[1];
  const b2Vec2& at = lander_->GetPosition();
  lander_->ApplyLinearImpulse(Vector(-x * kMainPower * power, -y * kMainPower * power),
                              Vector(at.x + x, at.y + y), true);
}

void LunarLanderWorld::FireSide(double power, double direction,
                                const std::array<double, 2>& dispersion) {
  const double angle = lander_->GetAngle(), sine = std::sin(angle), cosine = std::cos(angle);
  const double out = 3 * dispersion[1] + direction * kSideAway / kScale;
  const double x = sine * dispersion[0] - cosine * out;
  const double y = -cosine * dispersion[0] - sine * out;
  const b2Vec2& at = lander_->GetPosition();
  lander_->ApplyLinearImpulse(
      Vector(-x * kSidePower * power, -y * kSidePower * power),
      Vector(at.x + x - sine * kSideLever / kScale, at.y + y + cosine * kSideHeight / kScale),
      true);
}

StepResult LunarLanderWorld::Step(const Throttle& throttle, Random& random) {
  if (parameters_.enable_wind && !leg_contact_[0] && !leg_contact_[1]) Blow();
  std::array<double, 2> dispersion;  // Drawn whether or not an engine burns.
  for (double& value : dispersion) value = random.Uniform(-1, 1) / kScale;
  if (throttle.main > 0) FireMain(throttle.main, dispersion);
  if (throttle.side > 0) FireSide(throttle.side, throttle.side_direction, dispersion);
  world_->Step(static_cast<float>(1 / kStepsPerSecond), kVelocityIterations, kPositionIterations);

  const std::array<double, 8> state = Observation();
  const double shaping = -100 * std::sqrt(state[0] * state[0] + state[1] * state[1]) -
                         100 * std::sqrt(state[2] * state[2] + state[3] * state[3]) -
                         100 * std::abs(state[4]) + 10 * state[6] + 10 * state[7];
  StepResult result = {.reward = shaping_ ? shaping - *shaping_ : 0};
  shaping_ = shaping;
  result.reward -= throttle.main * 0.30;
  result.reward -= throttle.side * 0.03;
  if (crashed_ || std::abs(state[0]) >= 1) result = {.reward = -100, .terminated = true};
  if (!lander_->IsAwake()) result = {.reward = 100, .terminated = true};
  return result;
}

// Position relative to the pad and velocity, both in half screens, angle, angular velocity,
// and which legs touch the ground.
std::array<double, 8> LunarLanderWorld::Observation() const {
  const b2Vec2& position = lander_->GetPosition();
  const b2Vec2& velocity = lander_->GetLinearVelocity();
  return {(position.x - kWidth / 2) / (kWidth / 2),
          (position.y - (kPadHeight + kLegDown / kScale)) / (kHeight / 2),
          velocity.x * (kWidth / 2) / kStepsPerSecond,
          velocity.y * (kHeight / 2) / kStepsPerSecond,
          lander_->GetAngle(),
          20.0 * lander_->GetAngularVelocity() / kStepsPerSecond,
          leg_contact_[0] ? 1.0 : 0.0,
          leg_contact_[1] ? 1.0 : 0.0};
}

void LunarLanderWorld::BeginContact(b2Contact* contact) {
  if (Touches(*contact, lander_)) crashed_ = true;
  for (size_t i = 0; i < 2; ++i)
    if (Touches(*contact, legs_[i])) leg_contact_[i] = true;
}

// A leg that leaves one chunk counts as off the ground, even if it touches the next one too.
void LunarLanderWorld::EndContact(b2Contact* contact) {
  for (size_t i = 0; i < 2; ++i)
    if (Touches(*contact, legs_[i])) leg_contact_[i] = false;
}

template <bool kContinuous>
const EnvironmentSpec& BasicLunarLander<kContinuous>::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = kContinuous ? "LunarLanderContinuous-v3" : "LunarLander-v3";
    constexpr float kTurn = 2 * std::numbers::pi_v<float>;
    result.observation.columns = {{.shape = {8},
                                   .low = {-2.5, -2.5, -10, -10, -kTurn, -10, 0, 0},
                                   .high = {2.5, 2.5, 10, 10, kTurn, 10, 1, 1}}};
    if (kContinuous) {
      result.action = {
          .kind = ActionSpace::Kind::kContinuous, .dimensions = 2, .low = {-1, -1}, .high = {1, 1}};
    } else {
      result.action = ActionSpace::Discrete(4);
    }
    result.max_episode_steps = 1000;
    result.reward_threshold = 200;
    return result;
  }());
  return spec;
}

template <bool kContinuous>
BasicLunarLander<kContinuous>::BasicLunarLander(const LunarLanderParameters& parameters)
    : world_(std::make_unique<LunarLanderWorld>(parameters)) {
  CADRE_CHECK(parameters.gravity > -12 && parameters.gravity < 0);
}

template <bool kContinuous>
BasicLunarLander<kContinuous>::BasicLunarLander(BasicLunarLander&&) noexcept = default;

template <bool kContinuous>
BasicLunarLander<kContinuous>::~BasicLunarLander() = default;

template <bool kContinuous>
void BasicLunarLander<kContinuous>::Reset(Random& random, ObservationRow observation) {
  world_->Start(random);
  world_->Step({}, random);
  WriteObservation(world_->Observation(), observation[0]);
}

template <bool kContinuous>
StepResult BasicLunarLander<kContinuous>::Step(absl::Span<const std::byte> action, Random& random,
                                               ObservationRow observation) {
  StepResult result;
  if constexpr (kContinuous) {
    const Throttle throttle =
        ContinuousThrottle(ContinuousAction(action, 0, -1, 1), ContinuousAction(action, 1, -1, 1));
    result = world_->Step(throttle, random);
  } else {
    result = world_->Step(DiscreteThrottle(DiscreteAction(action)), random);
  }
  WriteObservation(world_->Observation(), observation[0]);
  return result;
}

template class BasicLunarLander<false>;
template class BasicLunarLander<true>;

}  // namespace cadre
