/* Corridor-v0: an agent in the middle of a corridor of 9 cells goes left or right; the right end
 * pays 1, the left one nothing, and both end the episode. Start here for an environment in C.
 *
 *   cc -O2 -shared -fPIC -I envs/plugin -o libcorridor.so docs/examples/plugin_c/corridor.c
 *   cadre envs check ./libcorridor.so
 */
#include <stdlib.h>
#include <string.h>

#include "cadre_env.h"

#define CELLS 9

struct Corridors {
  int64_t count;
  int32_t* cells; /* [count] */
  uint64_t random;
};

static const int64_t kShape[] = {1}, kCounts[] = {2};
static const float kLow[] = {0}, kHigh[] = {1};
static const struct CadreEnvColumn kColumns[] = {
    {"obs", CADRE_ENV_FLOAT32, 1, kShape, kLow, kHigh}};
static const struct CadreEnvSpec kSpec = {
    .id = "Corridor-v0",
    .column_count = 1,
    .columns = kColumns,
    .action_kind = CADRE_ENV_DISCRETE,
    .action_count = 1,
    .counts = kCounts,
    .max_episode_steps = 50,
    .reward_threshold = 1,
};

static int32_t count(void) { return 1; }
static const struct CadreEnvSpec* spec(int32_t index) { return index == 0 ? &kSpec : NULL; }

static void* create(int32_t index, int64_t num_envs, const struct CadreEnvOption* options,
                    int32_t option_count) {
  (void)index, (void)options, (void)option_count;
  struct Corridors* envs = malloc(sizeof(*envs));
  if (envs == NULL) return NULL;
  *envs = (struct Corridors){num_envs, calloc(num_envs, sizeof(int32_t)), 0};
  return envs;
}

static void destroy(void* pointer) {
  struct Corridors* envs = pointer;
  free(envs->cells);
  free(envs);
}

static int32_t seed(void* pointer, uint64_t value) {
  ((struct Corridors*)pointer)->random = value;
  return 0;
}

static void observe(const struct Corridors* envs, int64_t i, const struct CadreEnvBatch* batch) {
  ((float*)batch->observations[0])[i] = (float)envs->cells[i] / (CELLS - 1);
}

static int32_t reset(void* pointer, const uint8_t* which, const struct CadreEnvBatch* batch) {
  struct Corridors* envs = pointer;
  for (int64_t i = 0; i < envs->count; ++i) {
    if (!which[i]) continue;
    /* A linear congruential generator (Knuth); its high bits are the better ones. */
    envs->random = envs->random * 6364136223846793005u + 1442695040888963407u;
    envs->cells[i] = 2 + (int32_t)((envs->random >> 33) % (CELLS - 4));
    observe(envs, i, batch);
  }
  return 0;
}

static int32_t step(void* pointer, const void* actions, const uint8_t* which,
                    const struct CadreEnvBatch* batch) {
  struct Corridors* envs = pointer;
  for (int64_t i = 0; i < envs->count; ++i) {
    if (!which[i]) continue;
    envs->cells[i] += ((const int32_t*)actions)[i] == 1 ? 1 : -1;
    batch->rewards[i] = envs->cells[i] == CELLS - 1 ? 1 : 0;
    batch->terminated[i] = envs->cells[i] == 0 || envs->cells[i] == CELLS - 1;
    batch->truncated[i] = 0;
    observe(envs, i, batch);
  }
  return 0;
}

static const char* last_error(void* pointer) { return pointer == NULL ? "out of memory" : ""; }

static const struct CadreEnvApi kApi = {
    CADRE_ENV_ABI_VERSION, count, spec, create, destroy, seed, reset, step, last_error, NULL};

const struct CadreEnvApi* cadre_env_api(uint32_t host_abi_version) {
  return host_abi_version == CADRE_ENV_ABI_VERSION ? &kApi : NULL;
}
