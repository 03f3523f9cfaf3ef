"""Inserts into and samples from a dm-reverb server in another process: prints one JSON
line. Run by bench/versus_reverb in its virtual environment.

Inserts go through a TrajectoryWriter, which keeps a stream open, and are flushed now
and then. Samples come both through Client.sample and through a TrajectoryDataset with
workers that prefetch; the faster one counts. Items are single steps, so a chunk holds
one: a longer one would be sent whole for each of its items."""
import argparse
import importlib.metadata
import itertools
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy
import reverb
import tensorflow

parser = argparse.ArgumentParser()
parser.add_argument("--address", required=True)
parser.add_argument("--payload", type=int, required=True)
parser.add_argument("--items", type=int, required=True, help="to fill the table with")
parser.add_argument("--seconds", type=float, required=True)
options = parser.parse_args()

client = reverb.Client(options.address)
random = numpy.random.default_rng(1)
payloads = itertools.cycle(
    [random.integers(0, 256, options.payload, dtype=numpy.uint8) for _ in range(64)])
UNFLUSHED = max(1, min(1000, (32 << 20) // options.payload))


def insert(enough):
    """Until enough(items); returns items per second, all of them confirmed."""
    start, count = time.perf_counter(), 0
    with client.trajectory_writer(num_keep_alive_refs=1) as writer:
        while not enough(count):
            writer.append({"payload": next(payloads)})
            writer.create_item("replay", 1.0, {"payload": writer.history["payload"][-1:]})
            count += 1
            if count % UNFLUSHED == 0:
                writer.flush(block_until_num_items=UNFLUSHED)
        writer.flush()
    return count / (time.perf_counter() - start)


def rate(samples):
    """Elements per second of an endless iterator, after some that do not count."""
    warm = time.perf_counter() + 1
    while time.perf_counter() < warm:
        next(samples)
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + options.seconds:
        next(samples)
        count += 1
    return count / (time.perf_counter() - start)


def sample_with_dataset():
    dataset = reverb.TrajectoryDataset(
        server_address=options.address, table="replay",
        dtypes={"payload": tensorflow.uint8},
        shapes={"payload": tensorflow.TensorShape([1, options.payload])},
        max_in_flight_samples_per_worker=100, num_workers_per_iterator=4)
    batch = max(1, min(256, (4 << 20) // options.payload))
    return batch * rate(iter(dataset.batch(batch)))


insert(lambda count: count >= options.items)
start = time.perf_counter()
inserts = insert(lambda count: time.perf_counter() > start + options.seconds)
samples = {"Client.sample": rate(iter(client.sample("replay", num_samples=10 ** 9))),
           "TrajectoryDataset": sample_with_dataset()}
print(json.dumps({"insert": inserts, "sample": max(samples.values()), "samples": samples,
                  "version": importlib.metadata.version("dm-reverb")}))
