"""Usage: gymnasium_vector.py KIND N SECONDS

Steps N environments with random actions, KIND: sync or async (Gymnasium's vector environments of
CartPole-v1), atari (ale-py's AtariVectorEnv of Pong), or cadre (cadre.make_vec of CartPole-v1).
Prints {"steps_per_second"}.
"""
import json
import sys
import time


def make(kind, count):
    if kind == "cadre":
        import cadre
        return cadre.make_vec("CartPole-v1", count)
    if kind == "atari":
        from ale_py.vector_env import AtariVectorEnv
        return AtariVectorEnv("pong", count)
    import gymnasium
    return gymnasium.make_vec("CartPole-v1", count, vectorization_mode=kind)


def main():
    kind, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    envs = make(kind, count)
    envs.reset(seed=1)
    envs.action_space.seed(1)
    actions = [envs.action_space.sample() for _ in range(64)]

    def run(for_seconds):
        steps, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < for_seconds:
            envs.step(actions[steps % 64])
            steps += 1
        return steps * count / (time.perf_counter() - begin)

    run(seconds / 5)  # Warms up.
    print(json.dumps({"steps_per_second": run(seconds)}))
    envs.close()


if __name__ == "__main__":
    main()
