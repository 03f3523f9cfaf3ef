"""Holds Cadre's MinAtar games against the MinAtar package, state by state.

Usage: minatar_parity.py ENVS_PARITY

The package's games draw from Cadre's random numbers (`Draws`), so that both see the
same ones: a draw that is missing, out of order or of another range parts them. Every
second episode is random, the others are played well enough to reach what random play
does not: new waves and walls, divers, the end of the difficulty's growth. Observations,
rewards and terminations must be equal, and each game must have seen its rare events.
"""

import copy
import logging
import subprocess
import sys

import gymnasium
import numpy as np

logging.disable(logging.WARNING)  # MinAtar's, that it cannot draw without seaborn.
import minatar.gym  # noqa: E402

STEPS = 10_000
SEED = 5
NONE, LEFT, UP, RIGHT, DOWN, FIRE = range(6)
WORD = 2**64 - 1


def split_mix(x):
    """The next state and the number (Steele et al. 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & WORD
    z = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return x, z ^ (z >> 31)


def rotated(x, k):
    return ((x << k) | (x >> (64 - k))) & WORD


class Draws:
    """common/random.h's Random::ForStream(seed, 0), as the package asks for its numbers."""

    def __init__(self, seed):
        for _ in range(3):  # Of seed, stream and substream, the latter two 0.
            _, seed = split_mix(seed)
        self.state = []
        for _ in range(4):
            seed, number = split_mix(seed)
            self.state.append(number)

    def next(self):
        a, b, c, d = self.state
        result = (rotated((b * 5) & WORD, 7) * 9) & WORD
        c ^= a
        d ^= b
        self.state = [a ^ d, b ^ c, c ^ ((b << 17) & WORD), rotated(d, 45)]
        return result

    def rand(self, size=None):
        if size is not None:
            return np.array([self.rand() for _ in range(size)])
        return (self.next() >> 11) * 2.0**-53

    def randint(self, low, high=None, size=None):
        if high is None:
            low, high = 0, low
        if size is not None:
            return np.array([self.randint(low, high) for _ in range(size)])
        bound = high - low
        threshold = 2**64 % bound
        product = self.next() * bound
        while product & WORD < threshold:
            product = self.next() * bound
        return low + (product >> 64)


# --- Players. Each names actions, best first, from the state of the package's game. ---


def toward(have, want, less, more):
    return [less] if want < have else [more] if want > have else []


def wish_asterix(game):
    gold = [e for e in game.entities if e is not None and e[3]]
    gold.sort(key=lambda e: abs(e[0] - game.player_x) + abs(e[1] - game.player_y))
    actions = [NONE, UP, DOWN, LEFT, RIGHT]
    for entity in gold[:1]:
        actions = (toward(game.player_y, entity[1], UP, DOWN)
                   + toward(game.player_x, entity[0], LEFT, RIGHT) + actions)
    return actions


def wish_breakout(game):
    return toward(game.pos, game.ball_x, LEFT, RIGHT) + [NONE, LEFT, RIGHT]


def wish_freeway(game):
    return [UP, NONE, DOWN]


def wish_seaquest(game):
    surfaces = game.episode % 4 == 0  # In others it runs out of oxygen.
    if surfaces and (game.diver_count == 6 or (game.oxygen < 60 and game.diver_count != 0)):
        return [UP, LEFT, RIGHT, FIRE, NONE, DOWN]
    enemies = [e for e in game.e_fish + game.e_subs if e[1] == game.sub_y]
    ahead = [e for e in enemies if (e[0] > game.sub_x) == game.sub_or]
    actions = [FIRE] if ahead and game.shot_timer == 0 else []
    if enemies and not ahead:
        actions += [RIGHT if enemies[0][0] > game.sub_x else LEFT]
    divers = sorted(game.divers, key=lambda d: abs(d[0] - game.sub_x) + abs(d[1] - game.sub_y))
    for diver in divers[:1]:
        actions += (toward(game.sub_y, diver[1], UP, DOWN)
                    + toward(game.sub_x, diver[0], LEFT, RIGHT))
    lower = [DOWN] if game.sub_y < 4 else []
    return actions + lower + [NONE, LEFT, RIGHT, DOWN, FIRE, UP]


def ends(game, actions, wish):
    """Whether `actions` and then what is wished for end the episode within six steps."""
    game = copy.deepcopy(game)
    for step in range(6):
        action = actions[step] if step < len(actions) else wish(game.env)[0]
        if game.act(action)[1]:
            return True
    return False


class Wishes:
    """Takes the first action of `wish` after which the episode continues for a while."""

    def __init__(self, wish):
        self.wish = wish

    def action(self, game):
        wishes = self.wish(game.env)
        return next((a for a in wishes if not ends(game, [a], self.wish)), wishes[0])


class Plans:
    """Tries ten random sequences of 16 actions, and begins the one with the largest return."""

    def __init__(self, actions):
        self.actions, self.plan, self.rng = actions, [], np.random.default_rng(1)

    def action(self, game):
        if len(self.plan) <= 8:
            plans = [list(self.rng.choice(self.actions, 16)) for _ in range(10)]
            self.plan = max(plans, key=lambda plan: self.value(game, plan))
        return self.plan.pop(0)

    def value(self, game, plan):
        game, value = copy.deepcopy(game), 0
        for step, action in enumerate(plan):
            reward, terminal = game.act(action)
            value += reward
            if terminal:
                return value - 100 + step
        return value


# --- Rare events, by name, each told by the game before and after a step. ---

GAMES = {
    "Asterix": dict(player=Wishes(wish_asterix), events={
        "gold": lambda before, after, reward: reward > 0,
        "no row free": lambda before, after, reward: None not in after.entities,
        "fastest": lambda before, after, reward: after.spawn_speed == after.move_speed == 1}),
    "Breakout": dict(player=Wishes(wish_breakout), steps=40_000, events={
        "brick": lambda before, after, reward: reward > 0,
        "new wall": lambda before, after, reward:
            not before.brick_map.any() and after.brick_map.any(),
        "second brick spared": lambda before, after, reward:
            after.strike and before.strike}),
    "Freeway": dict(player=Wishes(wish_freeway), events={
        "crossing": lambda before, after, reward: reward > 0,
        "time limit": lambda before, after, reward: after.terminate_timer < 0}),
    "Seaquest": dict(player=Wishes(wish_seaquest), events={
        "hit": lambda before, after, reward: reward == 1,
        "paid for oxygen": lambda before, after, reward: reward > 1 and after.surface,
        "fewer than no divers": lambda before, after, reward: after.diver_count < 0,
        "fastest": lambda before, after, reward: after.e_spawn_speed == 1,
        "no oxygen": lambda before, after, reward: after.oxygen < 0}),
    "SpaceInvaders": dict(player=Plans([NONE, LEFT, RIGHT, FIRE, FIRE]), events={
        "hit": lambda before, after, reward: reward > 0,
        "fastest": lambda before, after, reward: after.enemy_move_interval == 6,
        "landed": lambda before, after, reward:
            after.terminal and after.alien_dir != before.alien_dir}),
}


def play_package(name, game_name, steps):
    """Actions, and what the package answers: shown, reward, terminated, truncated, next shown."""
    environment = gymnasium.make(name, disable_env_checker=True)
    environment.reset()
    game = environment.unwrapped.game
    game.random = game.env.random = Draws(SEED)
    rng = np.random.default_rng(2026)
    events, player = GAMES[game_name]["events"], GAMES[game_name]["player"]
    seen = dict.fromkeys(events, 0)
    first, _ = environment.reset()
    actions, answers, episodes = [], [], 0
    for _ in range(steps):
        game.env.episode = episodes
        action = int(rng.integers(environment.action_space.n))
        if episodes % 2 == 0 and rng.random() < 0.98:
            action = environment.unwrapped.action_set.index(player.action(game))
        before = copy.deepcopy(game.env)
        shown, reward, terminated, truncated, _ = environment.step(action)
        for event, happened in events.items():
            seen[event] += bool(happened(before, game.env, reward))
        following = shown
        if terminated or truncated:
            episodes += 1
            following, _ = environment.reset()
        actions.append(action)
        answers.append((shown, reward, terminated, truncated, following))
    return first, actions, answers, episodes, seen


def check(tool, name, game_name):
    """Failures, and a summary."""
    steps = GAMES[game_name].get("steps", STEPS)
    first, actions, answers, episodes, seen = play_package(name, game_name, steps)
    output = subprocess.run([tool, "play", name, str(SEED)], stdout=subprocess.PIPE, check=True,
                            input=np.array(actions, "<i4").tobytes()).stdout
    shape = first.shape
    begin = np.frombuffer(output[:first.size], "u1").reshape(shape)
    ours = np.frombuffer(output[first.size:], [
        ("shown", "u1", shape), ("following", "u1", shape), ("reward", "<f4"),
        ("terminated", "u1"), ("truncated", "u1")])
    failures = [f"no '{event}' in {steps} steps" for event, count in seen.items() if count == 0]
    if len(ours) != steps:
        failures.append(f"{len(ours)} steps came back; wanted {steps}")
    if not np.array_equal(begin, first):
        failures.append("first observation differs")
    for i, (answer, own) in enumerate(zip(answers, ours)):
        shown, reward, terminated, truncated, following = answer
        if not np.array_equal(own["shown"], shown):
            y, x, channel = np.argwhere(own["shown"] != shown)[0]
            failures.append(f"observation of step {i} differs at row {y}, column {x}, "
                            f"channel {channel}")
        if not np.array_equal(own["following"], following):
            failures.append(f"first observation after step {i} differs")
        for field, theirs in [("reward", reward), ("terminated", terminated),
                              ("truncated", truncated)]:
            if own[field] != theirs:
                failures.append(f"{field} of step {i} is {own[field]}; wanted {theirs}")
    events = ", ".join(f"{count} {event}" for event, count in seen.items())
    return failures, f"{steps} steps, {episodes} episodes equal; {events}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    minatar.gym.register_envs()
    failed = False
    for game_name in GAMES:
        for version in ("v0", "v1"):
            name = f"MinAtar/{game_name}-{version}"
            failures, summary = check(sys.argv[1], name, game_name)
            print(f"{name}: {summary if not failures else f'{len(failures)} failures'}")
            for failure in failures[:5]:
                print(f"  FAILED {failure}")
            failed = failed or bool(failures)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
