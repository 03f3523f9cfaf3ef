"""Usage: mujoco_parity.py MUJOCO_PARITY

Holds the MuJoCo tasks, both versions of each, against Gymnasium's with the same MuJoCo:
states, observations, rewards and ends of 3,000 random steps, starts of episodes included. The
tool plays; Gymnasium is put into each first state and then follows the same actions on its own.
First states are drawn by different generators: their distributions are compared.
"""
import subprocess
import sys
import warnings

import gymnasium
import mujoco
import numpy as np

TASKS = ["Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup",
         "InvertedDoublePendulum", "InvertedPendulum", "Pusher", "Reacher", "Swimmer", "Walker2d"]
STEPS = 3000
STARTS = 2000
RELATIVE = 1e-6  # Of a number, or of 1 where it is smaller.


def make(name):
    """gymnasium.make(); Pusher-v4 refuses MuJoCo 3 and later, whose dynamics differ."""
    version = mujoco.__version__
    try:
        if name == "Pusher-v4":
            mujoco.__version__ = "2.3.7"
        return gymnasium.make(name).unwrapped
    finally:
        mujoco.__version__ = version


class Task:
    def __init__(self, tool, name):
        self.tool, self.name = tool, name
        self.environment = make(name)
        self.model, self.data = self.environment.model, self.environment.data
        self.rng = np.random.default_rng(0)
        self.failures, self.worst, self.identical, self.compared = [], 0.0, 0, 0
        self.record = np.dtype([
            ("started", "u1"), ("set", "u1"), ("state", "<f8", self.model.nq + self.model.nv),
            ("observation", "<f4", self.environment.observation_space.shape),
            ("reward", "<f8"), ("terminated", "u1")])

    def play(self, seed, actions):
        command = [self.tool, self.name, str(seed)]
        output = subprocess.run(command, input=actions.astype("<f4").tobytes(),
                                stdout=subprocess.PIPE, check=True).stdout
        return np.frombuffer(output, self.record)

    def close(self, what, ours, theirs, at):
        ours, theirs = np.float64(ours), np.float64(theirs)
        difference = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)
        self.compared += difference.size
        self.identical += int(np.sum(difference == 0))
        self.worst = max(self.worst, float(np.max(difference)))
        if not np.all(difference <= RELATIVE):
            self.failures.append(f"{what} at step {at}: {ours}; wanted {theirs}")

    def set_state(self, state):
        self.environment.set_state(state[: self.model.nq], state[self.model.nq:])

    def check_steps(self):
        space = self.environment.action_space
        actions = self.rng.uniform(space.low, space.high, (STEPS, *space.shape)).astype("f4")
        starts = ends = 0
        next_action = iter(actions)
        for i, result in enumerate(self.play(1, actions)):
            if result["started"]:
                mujoco.mj_resetData(self.model, self.data)
                starts += 1
            if result["started"] or result["set"]:
                self.set_state(result["state"])
                # Contact forces are those of the last step, until there is one.
                self.data.cfrc_ext[:] = 0
                self.close("observation", result["observation"],
                           np.float32(self.environment._get_obs()), i)
                continue
            observation, reward, terminated, _, _ = self.environment.step(next(next_action))
            self.close("state", result["state"], self.environment.state_vector(), i)
            self.close("observation", result["observation"], np.float32(observation), i)
            self.close("reward", result["reward"], reward, i)
            if bool(result["terminated"]) != bool(terminated):
                self.failures.append(f"terminated at step {i}: {result['terminated']}")
            ends += bool(terminated)
        if next(next_action, None) is not None:
            self.failures.append("not all actions were taken")
        return f"{STEPS} steps, {starts} starts, {ends} terminated"

    def check_starts(self):
        environment = self.environment
        environment.reset(seed=0)
        theirs = []
        for _ in range(STARTS):
            environment.reset()
            theirs.append(environment.state_vector())
        theirs = np.array(theirs)
        ours = np.frombuffer(
            subprocess.run([self.tool, self.name, "2", str(STARTS)], stdout=subprocess.PIPE,
                           check=True).stdout, "<f8").reshape(STARTS, -1)
        # Kolmogorov-Smirnov, two samples, significance 1e-4; the seeds are fixed.
        critical = 2.23 * np.sqrt(1 / len(ours) + 1 / len(theirs))
        largest = 0.0
        for k in range(ours.shape[1]):
            points = np.sort(np.concatenate([ours[:, k], theirs[:, k]]))
            cdf = [np.searchsorted(np.sort(side[:, k]), points, side="right") / len(side)
                   for side in (ours, theirs)]
            largest = max(largest, float(np.max(np.abs(cdf[0] - cdf[1]))))
        if largest > critical:
            self.failures.append(
                f"first states differ: KS {largest:.4f}; wanted at most {critical:.4f}")
        return f"KS of starts {largest:.3f}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")  # That there is a version 5.
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    print(f"Gymnasium {gymnasium.__version__}, MuJoCo {mujoco.__version__}")
    failed = False
    for name in [f"{task}-v{version}" for task in TASKS for version in (4, 5)]:
        task = Task(sys.argv[1], name)
        summary = "; ".join([task.check_steps(), task.check_starts()])
        print(f"{name}: {summary}; {task.identical} of {task.compared} numbers identical, "
              f"largest difference {task.worst:.1e}", flush=True)
        for failure in task.failures[:5]:
            print(f"  FAILED {failure}")
        if task.failures:
            print(f"  {len(task.failures)} failures")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
