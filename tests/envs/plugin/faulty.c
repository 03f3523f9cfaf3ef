/* An environment with one thing wrong, FAULT; for plugin_test.cc. */
#include <math.h>
#include <stdlib.h>

#include "envs/plugin/cadre_env.h"

enum { RIGHT, WRONG_ABI, NO_STEP, FAILS, NOT_FINITE, REWARD, BOTH_FLAGS, BAD_DTYPE };

static int64_t envs_count;
static const int64_t kShape[] = {2}, kCounts[] = {3};
static const struct CadreEnvColumn kColumns[] = {
    {"obs", FAULT == BAD_DTYPE ? 7 : CADRE_ENV_FLOAT32, 1, kShape, NULL, NULL}};
static const struct CadreEnvSpec kSpec = {
    .id = "Faulty-v0",
    .column_count = 1,
    .columns = kColumns,
    .action_kind = CADRE_ENV_DISCRETE,
    .action_count = 1,
    .counts = kCounts,
    .max_episode_steps = 4,
};

static int32_t count(void) { return 1; }
static const struct CadreEnvSpec* spec(int32_t index) {
  (void)index;
  return &kSpec;
}
static void* create(int32_t index, int64_t num_envs, const struct CadreEnvOption* options,
                    int32_t option_count) {
  (void)index, (void)options;
  envs_count = num_envs;
  return option_count > 0 ? NULL : &envs_count;
}
static void destroy(void* envs) { (void)envs; }
static int32_t seed(void* envs, uint64_t value) {
  (void)envs, (void)value;
  return 0;
}
static int32_t reset(void* envs, const uint8_t* which, const struct CadreEnvBatch* batch) {
  (void)envs;
  for (int64_t i = 0; i < envs_count; ++i)
    if (which[i])
      ((float*)batch->observations[0])[2 * i] = ((float*)batch->observations[0])[2 * i + 1] = 0;
  return 0;
}
static int32_t step(void* envs, const void* actions, const uint8_t* which,
                    const struct CadreEnvBatch* batch) {
  (void)envs, (void)actions;
  if (FAULT == FAILS) return 5;
  for (int64_t i = 0; i < envs_count; ++i) {
    if (!which[i]) continue;
    ((float*)batch->observations[0])[2 * i] += 1;
    ((float*)batch->observations[0])[2 * i + 1] = FAULT == NOT_FINITE ? NAN : 0;
    batch->rewards[i] = FAULT == REWARD ? INFINITY : 1;
    batch->terminated[i] = batch->truncated[i] = FAULT == BOTH_FLAGS;
  }
  return 0;
}
static const char* last_error(void* envs) {
  return envs == NULL ? "takes no options" : "out of cheese";
}
static const struct CadreEnvApi kApi = {FAULT == WRONG_ABI ? 99 : CADRE_ENV_ABI_VERSION,
                                        count,
                                        spec,
                                        create,
                                        destroy,
                                        seed,
                                        reset,
                                        FAULT == NO_STEP ? NULL : step,
                                        last_error,
                                        NULL};

const struct CadreEnvApi* cadre_env_api(uint32_t host_abi_version) {
  (void)host_abi_version;
  return &kApi;
}
