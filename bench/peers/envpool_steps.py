"""EnvPool's environments stepped as one batch with random actions, for bench/versus_envpool. Times
are CPU times of the process.

    envpool_steps.py --id HalfCheetah-v5 --count 256 --seconds 3
"""
import argparse
import json
import time

import envpool
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()

    environment = envpool.make(options.id, env_type="gymnasium", num_envs=options.count,
                               num_threads=1, seed=1)
    space, rng = environment.action_space, np.random.default_rng(1)
    # Drawn in advance: they are not what is measured.
    if hasattr(space, "n"):
        actions = [rng.integers(space.n, size=options.count).astype(np.int32) for _ in range(64)]
    else:
        shape = (options.count, *space.shape)
        actions = [rng.uniform(space.low, space.high, shape).astype(space.dtype)
                   for _ in range(64)]
    environment.reset()
    batches, start = 0, time.process_time()
    while time.process_time() - start < options.seconds:
        environment.step(actions[batches % len(actions)])
        batches += 1
    seconds = time.process_time() - start
    print(json.dumps({"steps_per_second": batches * options.count / seconds}))


if __name__ == "__main__":
    main()
