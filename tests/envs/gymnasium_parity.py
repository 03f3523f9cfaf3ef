"""Holds Cadre's classic-control environments against Gymnasium's.

Usage: gymnasium_parity.py ENVS_PARITY

For each task, with the tool that parity.cc describes:
  steps     PAIRS random (state, action) pairs, half of them with float32 states:
            next state, observation, reward and termination;
  episodes  whole episodes through Gymnasium's TimeLimit: observations, rewards,
            termination and truncation, the two kept apart;
  resets    the distribution of first states: bounds, and a two-sample
            Kolmogorov-Smirnov test of each number;
Numbers agree to 1e-5 relative, with no absolute tolerance; flags agree exactly.
"""

import subprocess
import sys

import gymnasium
import numpy as np

PAIRS = 20_000
EPISODE_STEPS = 10_000
RESETS = 10_000
RELATIVE = 1e-5

PI = np.pi
# Per task: states (low, high) to step from, wide enough to reach every wall, wrap
# and goal; and the bounds of first states. An action is an int32 below `actions`,
# or a float32 in [-limit, limit].
TASKS = {
    "CartPole-v1": dict(
        low=[-2.6, -4, -0.25, -4], high=[2.6, 4, 0.25, 4], actions=2,
        reset=[(-0.05, 0.05)] * 4),
    "Acrobot-v1": dict(
        low=[-PI, -PI, -4 * PI, -9 * PI], high=[PI, PI, 4 * PI, 9 * PI], actions=3,
        reset=[(-0.1, 0.1)] * 4),
    "MountainCar-v0": dict(
        low=[-1.2, -0.07], high=[0.6, 0.07], actions=3, reset=[(-0.6, -0.4), (0, 0)]),
    "MountainCarContinuous-v0": dict(
        low=[-1.2, -0.07], high=[0.6, 0.07], limit=1.0, reset=[(-0.6, -0.4), (0, 0)]),
    "Pendulum-v1": dict(
        low=[-4 * PI, -8], high=[4 * PI, 8], limit=2.0, reset=[(-PI, PI), (-1, 1)]),
}


class Task:
    def __init__(self, tool, name, low, high, reset, actions=0, limit=0.0):
        self.tool, self.name, self.actions, self.limit = tool, name, actions, limit
        self.low, self.high, self.reset_bounds = np.array(low), np.array(high), reset
        self.environment = gymnasium.make(name, disable_env_checker=True)
        self.rng = np.random.default_rng(2026)
        self.failures = []
        self.compared = 0
        self.identical = 0
        self.worst = 0.0
        self.state_field = ("state", "<f8", (len(low),))
        self.observation_field = ("observation", "<f4", self.environment.observation_space.shape)

    # --- Plumbing ---

    def run(self, arguments, records, dtype):
        command = [self.tool, arguments[0], self.name, *map(str, arguments[1:])]
        output = subprocess.run(command, input=records, stdout=subprocess.PIPE, check=True).stdout
        return np.frombuffer(output, np.dtype(dtype))

    def random_actions(self, count):
        if self.actions:
            return self.rng.integers(self.actions, size=count).astype("<i4")
        uniform = self.rng.uniform(-self.limit, self.limit, count).astype("<f4")
        extreme = self.rng.choice([-1, 0, 1], count).astype("<f4") * np.float32(self.limit)
        return np.where(self.rng.random(count) < 0.1, extreme, uniform)

    def gymnasium_action(self, action):
        return int(action) if self.actions else np.array([action], np.float32)

    def set_state(self, state):
        """Sets the state with the type that Gymnasium itself gives it."""
        unwrapped = self.environment.unwrapped
        unwrapped.steps_beyond_terminated = None  # CartPole warns and pays by it.
        single = np.array_equal(state, state.astype(np.float32))
        if self.name == "MountainCarContinuous-v0" and single:
            state = state.astype(np.float32)
        unwrapped.state = np.array(state)

    def close(self, what, ours, theirs, at):
        ours, theirs = np.float64(ours), np.float64(theirs)
        difference = np.abs(ours - theirs)
        scale = np.maximum(np.abs(theirs), np.finfo(np.float64).tiny)
        self.compared += difference.size
        self.identical += int(np.sum(difference == 0))
        self.worst = max(self.worst, float(np.max(difference / scale)))
        if not np.all(difference <= RELATIVE * np.abs(theirs)):
            self.failures.append(f"{what} at {at}: {ours}; wanted {theirs}")

    def same(self, what, ours, theirs, at):
        if bool(ours) != bool(theirs):
            self.failures.append(f"{what} at {at}: {bool(ours)}; wanted {bool(theirs)}")

    # --- The three comparisons ---

    def check_steps(self):
        records = np.zeros(PAIRS, [self.state_field, ("action", "<f4" if self.limit else "<i4")])
        states = self.rng.uniform(self.low, self.high, (PAIRS, len(self.low)))
        states[: PAIRS // 2] = states[: PAIRS // 2].astype(np.float32)
        records["state"], records["action"] = states, self.random_actions(PAIRS)
        results = self.run(["step"], records.tobytes(), [
            self.state_field, self.observation_field, ("reward", "<f8"), ("terminated", "u1")])
        assert len(results) == PAIRS, f"{len(results)} results; wanted {PAIRS}"
        unwrapped = self.environment.unwrapped
        ended = 0
        for i, (record, result) in enumerate(zip(records, results)):
            self.set_state(record["state"])
            observation, reward, terminated, _, _ = unwrapped.step(
                self.gymnasium_action(record["action"]))
            at = f"pair {i}, state {record['state']}, action {record['action']}"
            self.close("next state", result["state"], np.array(unwrapped.state, np.float64), at)
            self.close("observation", result["observation"], observation, at)
            self.close("reward", result["reward"], reward, at)
            self.same("terminated", result["terminated"], terminated, at)
            ended += terminated
        if self.name != "Pendulum-v1" and not 100 < ended < PAIRS - 100:
            self.failures.append(f"only one side of termination was tried: {ended} of {PAIRS}")
        return f"{PAIRS} pairs, {ended} terminal"

    def check_episodes(self):
        actions = self.random_actions(EPISODE_STEPS)
        if self.name == "CartPole-v1":
            actions = self.balancing_actions()
        results = self.run(["episodes", 11], actions.tobytes(), [
            self.state_field, self.observation_field, ("reward", "<f4"),
            ("terminated", "u1"), ("truncated", "u1")])
        assert len(results) == len(actions), f"{len(results)} results; wanted {len(actions)}"
        terminations = truncations = 0
        self.environment.reset(seed=0)
        for i, (action, result) in enumerate(zip(actions, results)):
            # From the same state each time: chaos would blow up a last-bit difference.
            self.set_state(result["state"])
            observation, reward, terminated, truncated, _ = self.environment.step(
                self.gymnasium_action(action))
            truncated = truncated and not terminated  # Cadre never says both.
            self.close("observation", result["observation"], observation, f"step {i}")
            self.close("reward", result["reward"], np.float32(reward), f"step {i}")
            self.same("terminated", result["terminated"], terminated, f"step {i}")
            self.same("truncated", result["truncated"], truncated, f"step {i}")
            terminations += terminated
            truncations += truncated
            if terminated or truncated:
                self.environment.reset()
        if truncations == 0:
            self.failures.append("no episode reached the time limit")
        return f"{len(actions)} steps, {terminations} terminated, {truncations} truncated"

    def balancing_actions(self):
        """Actions that hold CartPole up past its time limit, then random ones."""
        environment = self.environment.unwrapped
        first = self.run(["episodes", 11], np.zeros(1, "<i4").tobytes(), [
            self.state_field, self.observation_field, ("reward", "<f4"),
            ("terminated", "u1"), ("truncated", "u1")])
        self.environment.reset(seed=0)
        self.set_state(first["state"][0])
        actions = []
        for _ in range(600):
            x, x_dot, theta, theta_dot = environment.state
            actions.append(int(0.1 * x + 0.3 * x_dot + 3 * theta + theta_dot > 0))
            environment.step(actions[-1])
        return np.concatenate([np.array(actions, "<i4"), self.random_actions(EPISODE_STEPS)])

    def check_resets(self):
        ours = self.run(["reset", 12, RESETS], b"", [self.state_field, self.observation_field])
        theirs = np.zeros((RESETS, len(self.low)))
        for i in range(RESETS):
            self.environment.reset(seed=i)
            theirs[i] = self.environment.unwrapped.state
        # Kolmogorov-Smirnov, two samples, significance 0.001; the seeds are fixed.
        critical = 1.95 * np.sqrt(2 / RESETS)
        largest = 0.0
        for k, (low, high) in enumerate(self.reset_bounds):
            column = ours["state"][:, k]
            # Acrobot rounds its first state to float32, up to 4e-9 beyond the bounds.
            if column.min() < low - 1e-8 or column.max() > high + 1e-8:
                self.failures.append(f"first state {k} in [{column.min()}, {column.max()}]; "
                                     f"wanted [{low}, {high}]")
            points = np.sort(np.concatenate([column, theirs[:, k]]))
            cdf_ours = np.searchsorted(np.sort(column), points, side="right") / RESETS
            cdf_theirs = np.searchsorted(np.sort(theirs[:, k]), points, side="right") / RESETS
            largest = max(largest, float(np.max(np.abs(cdf_ours - cdf_theirs))))
        if largest > critical:
            self.failures.append(
                f"first states differ: KS {largest:.4f}; wanted at most {critical:.4f}")
        for i in range(100):
            self.set_state(ours["state"][i])
            self.close("first observation", ours["observation"][i], self.first_observation(), i)
        return f"{RESETS} resets, KS {largest:.4f}"

    def first_observation(self):
        """What Gymnasium shows in the state that was set."""
        unwrapped = self.environment.unwrapped
        for method in ("_get_obs", "_get_ob"):
            if hasattr(unwrapped, method):
                return getattr(unwrapped, method)()
        return np.array(unwrapped.state, dtype=np.float32)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"Gymnasium {gymnasium.__version__}, NumPy {np.__version__}")
    failed = False
    for name, settings in TASKS.items():
        task = Task(sys.argv[1], name, **settings)
        summary = "; ".join([task.check_steps(), task.check_episodes(), task.check_resets()])
        print(f"{name}: {summary}; {task.identical} of {task.compared} numbers identical, "
              f"largest relative difference {task.worst:.1e}")
        for failure in task.failures[:5]:
            print(f"  FAILED {failure}")
        if task.failures:
            print(f"  {len(task.failures)} failures")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
