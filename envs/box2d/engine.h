// Box2D, which comes in two generations: 2.4 as the distributions have it, and 2.3, which
// Gymnasium steps (scripts/box2d-2.3.sh). What differs in how they are called is here; what
// differs in how they solve is in envs/README.md.
#pragma once

#if __has_include(<Box2D/Box2D.h>)
#include <Box2D/Box2D.h>
#define CADRE_BOX2D_23
#else
#include <box2d/box2d.h>
#endif

namespace cadre {

inline b2Vec2 Vector(double x, double y) { return {static_cast<float>(x), static_cast<float>(y)}; }

// An edge that is hit from both sides.
inline void SetEdge(const b2Vec2& from, const b2Vec2& to, b2EdgeShape& edge) {
#ifdef CADRE_BOX2D_23
  edge.Set(from, to);
#else
  edge.SetTwoSided(from, to);
#endif
}

}  // namespace cadre
