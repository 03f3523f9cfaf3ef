"""PPO or A2C on CartPole-v1 in stable-baselines3, with the settings of configs/ppo_cartpole
or configs/a2c_cartpole: prints one JSON line. Run by bench/versus_sb3 in its virtual
environment."""
import argparse
import json
import time

import numpy
import stable_baselines3
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env

parser = argparse.ArgumentParser()
parser.add_argument("--algorithm", choices=("ppo", "a2c"), required=True)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--seed", type=int, required=True)
options = parser.parse_args()

torch.set_num_threads(1)
environments = make_vec_env("CartPole-v1", n_envs=8, seed=options.seed)
if options.algorithm == "ppo":
    model = PPO("MlpPolicy", environments, n_steps=32, batch_size=256, n_epochs=20, gamma=0.98,
                gae_lambda=0.8, learning_rate=lambda left: 1e-3 * left,
                clip_range=lambda left: 0.2 * left, ent_coef=0.0, device="cpu",
                seed=options.seed, verbose=0)
else:
    model = A2C("MlpPolicy", environments, n_steps=5, gamma=0.99, gae_lambda=1.0,
                learning_rate=7e-4, ent_coef=0.0, vf_coef=0.5, max_grad_norm=0.5,
                use_rms_prop=True, rms_prop_eps=1e-5, device="cpu", seed=options.seed, verbose=0)
start = time.perf_counter()
model.learn(options.steps)
seconds = time.perf_counter() - start
returns = [episode["r"] for episode in model.ep_info_buffer]
print(json.dumps({"env_steps": model.num_timesteps, "seconds": seconds,
                  "mean_return": float(numpy.mean(returns)),
                  "versions": f"stable-baselines3 {stable_baselines3.__version__}, "
                              f"torch {torch.__version__}"}))
