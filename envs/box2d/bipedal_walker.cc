#include "envs/box2d/bipedal_walker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "envs/box2d/bipedal_terrain.h"
#include "envs/box2d/engine.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

// Constants of gymnasium/envs/box2d/bipedal_walker.py 1.4. kScale pixels are a metre.
constexpr double kStepsPerSecond = 50;
constexpr double kScale = 30;
constexpr float kTorque = 80;                   // N m, at most.
constexpr float kHipSpeed = 4, kKneeSpeed = 6;  // rad/s, at most.
constexpr std::array<float, 4> kSpeeds = {kHipSpeed, kKneeSpeed, kHipSpeed, kKneeSpeed};
constexpr int kRays = 10;
constexpr double kRayLength = 160 / kScale;
constexpr double kInitialForce = 5;  // N, at most, to either side.
constexpr double kLegDown = -8 / kScale, kLegWidth = 8 / kScale, kLegHeight = 34 / kScale;
constexpr std::array<std::array<double, 2>, 5> kHull = {
    {{-30, 9}, {6, 9}, {34, 1}, {34, -8}, {-30, -8}}};
constexpr double kWidth = 600 / kScale, kHeight = 400 / kScale;
constexpr float kGroundFriction = 2.5;
constexpr double kStartX = BipedalTerrain::kStep * BipedalTerrain::kStartPad / 2;
constexpr double kGoalX =
    (BipedalTerrain::kPoints - BipedalTerrain::kGrass) * BipedalTerrain::kStep;
constexpr int kVelocityIterations = 180, kPositionIterations = 60;

using Actions = std::array<float, 4>;  // In ±1: hip and knee of one leg, then of the other.

float Sign(float value) { return static_cast<float>((value > 0) - (value < 0)); }

// The nearest of the ground that a ray hits, as a fraction of its length.
class Ray final : public b2RayCastCallback {
 public:
  float ReportFixture(b2Fixture* fixture, const b2Vec2&, const b2Vec2&, float fraction) override {
    if ((fixture->GetFilterData().categoryBits & 1) == 0) return -1;  // The walker itself.
    fraction_ = fraction;
    return fraction;
  }
  float fraction() const { return fraction_; }

 private:
  float fraction_ = 1;
};

}  // namespace

class BipedalWorld final : public b2ContactListener {
 public:
  void Start(bool hardcore, Random& random);
  StepResult Step(const Actions& actions);
  std::array<double, 24> Observation() const;

  void BeginContact(b2Contact* contact) override;
  void EndContact(b2Contact* contact) override;

 private:
  void AddGround(const BipedalTerrain& terrain);
  void AddHull(double force);
  void AddLeg(int side);
  b2Body* AddSegment(double y, double width, int side);
  bool Touches(const b2Contact& contact, const b2Body* body) const {
    return contact.GetFixtureA()->GetBody() == body || contact.GetFixtureB()->GetBody() == body;
  }

  // A new world for each episode: what Box2D allocated before would show in the order of
  // contacts. In place, as it is 100 KB.
  std::optional<b2World> world_;
  b2Body* hull_ = nullptr;
  std::array<b2Body*, 2> feet_ = {};  // The lower segments.
  std::array<bool, 2> foot_contact_ = {};
  std::array<b2RevoluteJoint*, 4> joints_ = {};
  bool fallen_ = false;
  std::optional<double> shaping_;
};

void BipedalWorld::Start(bool hardcore, Random& random) {
  world_.emplace(Vector(0, -10));
  world_->SetContactListener(this);
  foot_contact_ = {};
  fallen_ = false;
  shaping_.reset();
  AddGround(BipedalTerrain::Draw(hardcore, random));
  AddHull(random.Uniform(-kInitialForce, kInitialForce));
  for (const int side : {-1, 1}) AddLeg(side);
}

void BipedalWorld::AddGround(const BipedalTerrain& terrain) {
  const b2BodyDef definition;
  b2Body* ground = world_->CreateBody(&definition);
  b2FixtureDef fixture;
  fixture.friction = kGroundFriction;
  b2PolygonShape block;
  fixture.shape = &block;
  for (const BipedalTerrain::Corners& corners : terrain.blocks) {
    std::array<b2Vec2, 4> vertices;
    for (size_t i = 0; i < 4; ++i) vertices[i] = Vector(corners[i][0], corners[i][1]);
    block.Set(vertices.data(), 4);
    ground->CreateFixture(&fixture);
  }
  b2EdgeShape edge;
  fixture.shape = &edge;
  for (int i = 0; i + 1 < BipedalTerrain::kPoints; ++i) {
    SetEdge(Vector(i * BipedalTerrain::kStep, terrain.y[i]),
            Vector((i + 1) * BipedalTerrain::kStep, terrain.y[i + 1]), edge);
    ground->CreateFixture(&fixture);
  }
}

void BipedalWorld::AddHull(double force) {
  b2BodyDef definition;
  definition.type = b2_dynamicBody;
  definition.position = Vector(kStartX, BipedalTerrain::kHeight + 2 * kLegHeight);
  hull_ = world_->CreateBody(&definition);
  std::array<b2Vec2, kHull.size()> corners;
  for (size_t i = 0; i < kHull.size(); ++i)
    corners[i] = Vector(kHull[i][0] / kScale, kHull[i][1] / kScale);
  b2PolygonShape shape;
  shape.Set(corners.data(), corners.size());
  b2FixtureDef fixture;
  fixture.shape = &shape;
  fixture.density = 5;
  fixture.friction = 0.1f;
  fixture.filter.categoryBits = 0x20;
  fixture.filter.maskBits = 0x01;  // The ground only.
  hull_->CreateFixture(&fixture);
  hull_->ApplyForceToCenter(Vector(force, 0), true);
}

// A segment of a leg whose middle is at height `y` above the start of the hull.
b2Body* BipedalWorld::AddSegment(double y, double width, int side) {
  b2BodyDef definition;
  definition.type = b2_dynamicBody;
  definition.position = Vector(kStartX, y);
  definition.angle = static_cast<float>(side * 0.05);
  b2Body* segment = world_->CreateBody(&definition);
  b2PolygonShape box;
  box.SetAsBox(static_cast<float>(width / 2), static_cast<float>(kLegHeight / 2));
  b2FixtureDef fixture;
  fixture.shape = &box;
  fixture.density = 1;
  fixture.filter.categoryBits = 0x20;
  fixture.filter.maskBits = 0x01;
  segment->CreateFixture(&fixture);
  return segment;
}

void BipedalWorld::AddLeg(int side) {
  constexpr double kStartY = BipedalTerrain::kHeight + 2 * kLegHeight;
  b2RevoluteJointDef joint;
  joint.enableMotor = joint.enableLimit = true;
  joint.maxMotorTorque = kTorque;
  joint.localAnchorB = Vector(0, kLegHeight / 2);
  const size_t leg = side < 0 ? 0 : 1;

  b2Body* upper = AddSegment(kStartY - kLegHeight / 2 - kLegDown, kLegWidth, side);
  joint.bodyA = hull_;
  joint.bodyB = upper;
  joint.referenceAngle = upper->GetAngle();  // pybox2d's default: the angle at the start is 0.
  joint.localAnchorA = Vector(0, kLegDown);
  joint.motorSpeed = static_cast<float>(side);
  joint.lowerAngle = -0.8f;
  joint.upperAngle = 1.1f;
  joints_[2 * leg] = static_cast<b2RevoluteJoint*>(world_->CreateJoint(&joint));

  feet_[leg] = AddSegment(kStartY - kLegHeight * 3 / 2 - kLegDown, 0.8 * kLegWidth, side);
  joint.bodyA = upper;
  joint.bodyB = feet_[leg];
  joint.referenceAngle = feet_[leg]->GetAngle() - upper->GetAngle();
  joint.localAnchorA = Vector(0, -kLegHeight / 2);
  joint.motorSpeed = 1;
  joint.lowerAngle = -1.6f;
  joint.upperAngle = -0.1f;
  joints_[2 * leg + 1] = static_cast<b2RevoluteJoint*>(world_->CreateJoint(&joint));
}

StepResult BipedalWorld::Step(const Actions& actions) {
  for (size_t i = 0; i < 4; ++i) {
    joints_[i]->SetMotorSpeed(kSpeeds[i] * Sign(actions[i]));
    joints_[i]->SetMaxMotorTorque(kTorque * std::abs(actions[i]));
  }
  world_->Step(static_cast<float>(1 / kStepsPerSecond), kVelocityIterations, kPositionIterations);

  const double x = hull_->GetPosition().x;
  const double shaping = 130 * x / kScale - 5.0 * std::abs(static_cast<double>(hull_->GetAngle()));
  // Energy is charged in float32: NumPy rounds Python's numbers to the action's type.
  float reward = static_cast<float>(shaping_ ? shaping - *shaping_ : 0);
  shaping_ = shaping;
  constexpr float kEnergyCost = static_cast<float>(0.00035 * 80);
  for (const float action : actions) reward -= kEnergyCost * std::abs(action);

  StepResult result = {.reward = reward};
  if (fallen_ || x < 0) result = {.reward = -100, .terminated = true};
  if (x > kGoalX) result.terminated = true;
  return result;
}

// Hull's angle and velocities; of each leg hip and knee, angle and speed, and contact; rays.
std::array<double, 24> BipedalWorld::Observation() const {
  const b2Vec2& position = hull_->GetPosition();
  const b2Vec2& velocity = hull_->GetLinearVelocity();
  std::array<double, 24> result = {
      hull_->GetAngle(), 2.0 * hull_->GetAngularVelocity() / kStepsPerSecond,
      0.3 * velocity.x * kWidth / kStepsPerSecond, 0.3 * velocity.y * kHeight / kStepsPerSecond};
  size_t at = 4;
  for (size_t leg = 0; leg < 2; ++leg) {
    const b2RevoluteJoint &hip = *joints_[2 * leg], &knee = *joints_[2 * leg + 1];
    result[at++] = hip.GetJointAngle();
    result[at++] = static_cast<double>(hip.GetJointSpeed()) / kHipSpeed;
    result[at++] = knee.GetJointAngle() + 1.0;
    result[at++] = static_cast<double>(knee.GetJointSpeed()) / kKneeSpeed;
    result[at++] = foot_contact_[leg] ? 1 : 0;
  }
  static const std::array<std::array<double, 2>, kRays> kDirections = [] {
    std::array<std::array<double, 2>, kRays> directions;
    for (int i = 0; i < kRays; ++i) {
      const double angle = 1.5 * i / 10.0;  // From straight down to the front.
      directions[i] = {std::sin(angle) * kRayLength, -std::cos(angle) * kRayLength};
    }
    return directions;
  }();
  for (const auto& [dx, dy] : kDirections) {
    Ray ray;
    world_->RayCast(&ray, position, Vector(position.x + dx, position.y + dy));
    result[at++] = ray.fraction();
  }
  return result;
}

void BipedalWorld::BeginContact(b2Contact* contact) {
  if (Touches(*contact, hull_)) fallen_ = true;
  for (size_t i = 0; i < 2; ++i)
    if (Touches(*contact, feet_[i])) foot_contact_[i] = true;
}

// A foot that leaves one piece of ground counts as off, even if it touches the next one too.
void BipedalWorld::EndContact(b2Contact* contact) {
  for (size_t i = 0; i < 2; ++i)
    if (Touches(*contact, feet_[i])) foot_contact_[i] = false;
}

template <bool kHardcore>
const EnvironmentSpec& BasicBipedalWalker<kHardcore>::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = kHardcore ? "BipedalWalkerHardcore-v3" : "BipedalWalker-v3";
    constexpr float kPi = std::numbers::pi_v<float>;
    ObservationColumn column = {
        .shape = {24},
        .low = {-kPi, -5, -5, -5, -kPi, -5, -kPi, -5, 0, -kPi, -5, -kPi, -5, 0},
        .high = {kPi, 5, 5, 5, kPi, 5, kPi, 5, 5, kPi, 5, kPi, 5, 5}};
    column.low.resize(24, -1);
    column.high.resize(24, 1);
    result.observation.columns = {column};
    result.action = {.kind = ActionSpace::Kind::kContinuous,
                     .dimensions = 4,
                     .low = {-1, -1, -1, -1},
                     .high = {1, 1, 1, 1}};
    result.max_episode_steps = kHardcore ? 2000 : 1600;
    result.reward_threshold = 300;
    return result;
  }());
  return spec;
}

template <bool kHardcore>
BasicBipedalWalker<kHardcore>::BasicBipedalWalker() : world_(std::make_unique<BipedalWorld>()) {}

template <bool kHardcore>
BasicBipedalWalker<kHardcore>::BasicBipedalWalker(BasicBipedalWalker&&) noexcept = default;

template <bool kHardcore>
BasicBipedalWalker<kHardcore>::~BasicBipedalWalker() = default;

template <bool kHardcore>
void BasicBipedalWalker<kHardcore>::Reset(Random& random, ObservationRow observation) {
  world_->Start(kHardcore, random);
  world_->Step({});
  WriteObservation(world_->Observation(), observation[0]);
}

template <bool kHardcore>
StepResult BasicBipedalWalker<kHardcore>::Step(absl::Span<const std::byte> action, Random&,
                                               ObservationRow observation) {
  Actions actions;
  for (size_t i = 0; i < 4; ++i) actions[i] = ContinuousAction(action, i, -1, 1);
  const StepResult result = world_->Step(actions);
  WriteObservation(world_->Observation(), observation[0]);
  return result;
}

template class BasicBipedalWalker<false>;
template class BasicBipedalWalker<true>;

}  // namespace cadre
