"""A dm-reverb server with one uniform table: writes its port to a file and serves until
it is killed. Run by bench/versus_reverb in its virtual environment."""
import argparse
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import reverb

parser = argparse.ArgumentParser()
parser.add_argument("--items", type=int, required=True, help="at most in the table")
parser.add_argument("--port_file", type=pathlib.Path, required=True)
options = parser.parse_args()

server = reverb.Server([reverb.Table(
    name="replay", sampler=reverb.selectors.Uniform(), remover=reverb.selectors.Fifo(),
    max_size=options.items, rate_limiter=reverb.rate_limiters.MinSize(1))])
options.port_file.with_suffix(".new").write_text(str(server.port))
options.port_file.with_suffix(".new").rename(options.port_file)
server.wait()
