"""What the checks of the C++ sources share: they walk the rooms and print `file:line: message`."""
import pathlib
import sys


def lines(rooms, suffixes=(".h", ".cc", ".inc", ".cu")):
    """Each line of the rooms' sources, as the name of its file, its number and its text. The
    folder that has the rooms is the script's only argument, or else the one above scripts/."""
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    for room in rooms:
        for path in sorted((root / room).rglob("*")):
            if path.suffix in suffixes:
                name = path.relative_to(root).as_posix()
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    yield name, number, line


def report(violations, all_well: str) -> int:
    """Prints the (file, line, message) that were found, or `all_well`. Returns the exit status."""
    found = [f"{name}:{number}: {message}" for name, number, message in violations]
    print("\n".join(found or [all_well]))
    return 1 if found else 0
