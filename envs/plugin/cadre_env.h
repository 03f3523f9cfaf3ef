/* Environments for Cadre in a shared library: plain C, so that any language can make one.
 *
 * A library exports one function, cadre_env_api(). What it returns makes batches of N environments
 * that are reset and stepped together; Cadre starts new episodes, keeps last observations, counts
 * steps for time limits, and calls a batch from one thread at a time. Different batches may be
 * called from different threads. docs/examples/plugin_c has a whole one.
 */
#ifndef CADRE_ENV_H_
#define CADRE_ENV_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a struct or the meaning of a function does. */
#define CADRE_ENV_ABI_VERSION 1

enum CadreEnvDType { CADRE_ENV_FLOAT32 = 0, CADRE_ENV_UINT8 = 1 };

enum CadreEnvActionKind {
  CADRE_ENV_DISCRETE = 0,  /* int32 [N, K]: the k-th in [0, counts[k]) */
  CADRE_ENV_CONTINUOUS = 1 /* float32 [N, A]: finite, but perhaps outside the bounds */
};

/* One array of an observation. */
struct CadreEnvColumn {
  const char* name; /* "obs" if there is only one */
  int32_t dtype;    /* CadreEnvDType */
  int32_t rank;
  const int64_t* shape; /* [rank] */
  const float* low;     /* [elements]; NULL: unbounded */
  const float* high;
};

/* Everything in it lives as long as the library does. */
struct CadreEnvSpec {
  const char* id; /* "Corridor-v0" */
  int32_t column_count;
  const struct CadreEnvColumn* columns; /* [column_count] */

  int32_t action_kind;   /* CadreEnvActionKind */
  int32_t action_count;  /* K choices, or A numbers */
  const int64_t* counts; /* Discrete: [K] */
  const float* low;      /* Continuous: [A] */
  const float* high;
  int32_t masked; /* 1: which alternatives are allowed is one more column, uint8 [sum of counts] */

  int64_t max_episode_steps; /* Truncated after so many; 0: never. */
  double reward_threshold;   /* "Solved"; not a number: none. */
};

struct CadreEnvOption {
  const char* key;
  const char* value;
};

/* Where a batch writes, in dense rows of each environment; the memory is Cadre's. */
struct CadreEnvBatch {
  void* const* observations; /* By column, the mask last: [N, shape...] */
  float* rewards;            /* [N] finite */
  uint8_t* terminated;       /* [N] 1: a terminal state */
  uint8_t* truncated; /* [N] 1: cut by the environment itself; not together with terminated */
};

/* Functions return 0, or another number and then say why in last_error(). */
struct CadreEnvApi {
  uint32_t abi_version; /* CADRE_ENV_ABI_VERSION */

  /* The environments that the library has. */
  int32_t (*count)(void);
  const struct CadreEnvSpec* (*spec)(int32_t index);

  /* num_envs environments of spec(index). NULL where that fails. */
  void* (*create)(int32_t index, int64_t num_envs, const struct CadreEnvOption* options,
                  int32_t option_count);
  void (*destroy)(void* envs);

  /* All random numbers come from this seed from now on. Before the first reset, and whenever Cadre
   * starts all over; the same seed and actions give the same episodes. */
  int32_t (*seed)(void* envs, uint64_t seed);
  /* Starts an episode where which[i] is not 0, and writes its first observation. */
  int32_t (*reset)(void* envs, const uint8_t* which, const struct CadreEnvBatch* batch);
  /* Does an action where which[i] is not 0, and writes what came of it. The rows of others are
   * left as they are. */
  int32_t (*step)(void* envs, const void* actions, const uint8_t* which,
                  const struct CadreEnvBatch* batch);

  /* Why the last function failed; envs is NULL after create. Valid until the next call. */
  const char* (*last_error)(void* envs);

  /* May be NULL. Puts environment `index` into a state of its own numbers, and writes its row. */
  int32_t (*set_state)(void* envs, int64_t index, const double* state, int64_t count,
                       const struct CadreEnvBatch* batch);
};

/* NULL where the library cannot work with a Cadre of this version of the interface. */
const struct CadreEnvApi* cadre_env_api(uint32_t host_abi_version);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* CADRE_ENV_H_ */
