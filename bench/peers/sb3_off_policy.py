"""DQN on CartPole-v1 and SAC on Pendulum-v1 in stable-baselines3, one gradient step for
each environment step: prints one JSON line. Run by bench/versus_sb3 in its virtual
environment."""
import argparse
import json
import time

import numpy
import stable_baselines3
import torch
from stable_baselines3 import DQN, SAC
from stable_baselines3.common.env_util import make_vec_env

parser = argparse.ArgumentParser()
parser.add_argument("--algorithm", choices=("dqn", "sac"), required=True)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--seed", type=int, required=True)
options = parser.parse_args()

torch.set_num_threads(1)
common = dict(learning_rate=1e-3, buffer_size=50_000, learning_starts=1000, gamma=0.99,
              train_freq=1, gradient_steps=1, device="cpu", seed=options.seed, verbose=0)
if options.algorithm == "dqn":
    model = DQN("MlpPolicy", make_vec_env("CartPole-v1", n_envs=1, seed=options.seed),
                batch_size=64, target_update_interval=500, exploration_fraction=0.5,
                policy_kwargs={"net_arch": [256, 256]}, **common)
else:
    model = SAC("MlpPolicy", make_vec_env("Pendulum-v1", n_envs=1, seed=options.seed),
                batch_size=256, tau=0.005, ent_coef="auto",
                policy_kwargs={"net_arch": [256, 256]}, **common)
start = time.perf_counter()
model.learn(options.steps)
seconds = time.perf_counter() - start
returns = [episode["r"] for episode in model.ep_info_buffer]
print(json.dumps({"updates": model._n_updates, "env_steps": model.num_timesteps,
                  "seconds": seconds, "mean_return": float(numpy.mean(returns)),
                  "versions": f"stable-baselines3 {stable_baselines3.__version__}, "
                              f"torch {torch.__version__}"}))
