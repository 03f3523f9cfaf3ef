# The two commands: `make train` and `make test`. Both install what is missing and
# build first. DEPS=skip leaves the installing out.
CONFIG ?= configs/ppo_cartpole.textproto
JOBS ?= $(shell nproc)
DEPS ?= install
# What the config's environment needs besides.
MUJOCO_TASKS = Ant|HalfCheetah|Hopper|Humanoid|HumanoidStandup|InvertedDoublePendulum|$\
  InvertedPendulum|Pusher|Reacher|Swimmer|Walker2d
DEPS_OF_CONFIG = $(shell grep -qsE \
  '^[^\#]*("($(MUJOCO_TASKS))-v[45]"|(mujoco|gymnasium) *\{)' $(CONFIG) && echo --mujoco)
# For environments in Python: the interpreter that --mujoco has given Gymnasium, unless told.
PYTHON = $(or $(CADRE_PYTHON),$(wildcard $(CURDIR)/.venv/bin/python),python3)

.PHONY: build train test bench format deps

deps:
ifneq ($(DEPS),skip)
	scripts/install-deps.sh $(DEPS_OF_CONFIG)
endif

build: deps
	cmake --preset release
	cmake --build --preset release -- -j $(JOBS)

train: build
	CADRE_PYTHON="$(PYTHON)" build/bin/cadre train $(CONFIG)

# Every environment is tested.
test: DEPS_OF_CONFIG = --try-mujoco
test: build
	ctest --preset release -j $(JOBS)

bench: build
	build/bin/envs_bench
	build/bin/act_bench
	bench/versus_sb3

format:
	git ls-files '*.cc' '*.h' '*.inc' | xargs clang-format -i
