"""The PromQL expressions in deploy/: where they are, with what Grafana puts into them, and
what they are made of."""

import dataclasses
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))


@dataclasses.dataclass
class Expression:
    where: str  # "alert CadreDiskNearFull", "panel 'Losses' A", ...
    text: str
    alert: bool = False


def rule_groups(path):
    """The groups of one rule file, as they stand there."""
    return yaml.safe_load(path.read_text())["groups"]


def rules():
    """The rules of all rule files, as they stand there."""
    return [rule for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
            for group in rule_groups(path) for rule in group["rules"]]


def rule_expressions():
    return [Expression(f"alert {rule['alert']}" if "alert" in rule else f"record {rule['record']}",
                       rule["expr"], "alert" in rule) for rule in rules()]


def all_panels(dashboard):
    """Also those inside collapsed rows."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def panel_expressions(dashboard, values):
    """`values`: of template variables, as in substitute()."""
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    return [Expression(f"panel {panel['title']!r} {target['refId']}",
                       substitute(target["expr"], variables, values))
            for panel in all_panels(dashboard) for target in panel.get("targets", [])]


def load_dashboards():
    return [json.loads(path.read_text()) for path in DASHBOARDS]


def _regex_escape(value):
    return re.sub(r"([\\^$.*+?()\[\]{}|/])", r"\\\\\1", value)


def substitute(text, variables, values):
    """What Grafana makes of a Prometheus query. `values`: by name a list of chosen values, or
    "All"; for the names that begin with __, the text. A variable with several values becomes
    (a|b), each escaped for a regular expression; All becomes its allValue."""

    def value(match):
        name = match.group(1) or match.group(2)
        if name.startswith("__"):
            return values[name]
        chosen = values[name]
        if chosen == "All":
            return variables[name]["allValue"]
        if not variables[name].get("multi") and len(chosen) == 1:
            return chosen[0]
        escaped = [_regex_escape(each) for each in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, text)


_TOKEN = re.compile(r"""
    (?P<space>\s+|\#[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
  | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?:ms|[smhdwy])?(?:\d+(?:ms|[smhdwy]))*)
  | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<operator>==|!=|=~|!~|>=|<=|[-+*/%^=<>(){}\[\],@:])
""", re.VERBOSE)

_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
_SETS = {"and", "or", "unless"}
_LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = _SETS | _LABEL_LISTS | {"bool", "offset", "inf", "nan"}
_OPENING = {"(": ")", "[": "]", "{": "}"}


def _tokens(text):
    """(kind, token, begin, end) of each."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise ValueError(f"no PromQL at {text[at:]!r} in {text!r}")
        if match.lastgroup != "space":
            found.append((match.lastgroup, match.group(), at, match.end()))
        at = match.end()
    return found


def metric_names(text):
    """The metrics that an expression names."""
    names, tokens, closing = set(), _tokens(text), []
    for i, (kind, token, _, _) in enumerate(tokens):
        if token in _OPENING and kind == "operator":
            labels = token == "(" and i > 0 and tokens[i - 1][1].lower() in _LABEL_LISTS
            closing.append("labels" if labels or token != "(" else "")
        elif token in _OPENING.values() and kind == "operator":
            closing.pop()
        elif kind == "name" and "labels" not in closing and token.lower() not in _WORDS:
            following = [t[1] for t in tokens[i + 1:i + 2]]
            # A function, or an aggregation with its labels before its argument.
            if following == ["("] or (following and following[0] in ("by", "without")):
                continue
            names.add(token)
    return names


def operands(text):
    """What an expression compares and combines: the parts between its comparisons and its
    and, or, unless, also those inside brackets around the whole or around a part; without
    those that name no metric, as a threshold does. Arguments of functions stay as they are.

    An alert is right to return nothing while all is well. Each of its operands must not."""
    tokens, parts, begin, depth, i = _tokens(text), [], 0, 0, 0
    while i < len(tokens):
        kind, token, at, end = tokens[i]
        if kind == "operator" and token in _OPENING:
            depth += 1
        elif kind == "operator" and token in _OPENING.values():
            depth -= 1
        elif depth == 0 and (token in _COMPARISONS or token.lower() in _SETS):
            parts.append(text[begin:at])
            i += 1
            # What belongs to the operator: bool, on (...), group_left (...).
            while i < len(tokens) and tokens[i][1].lower() in _LABEL_LISTS | {"bool"}:
                end = tokens[i][3]
                i += 1
                if tokens[i - 1][1].lower() != "bool" and i < len(tokens) and tokens[i][1] == "(":
                    while tokens[i][1] != ")":
                        i += 1
                    end = tokens[i][3]
                    i += 1
            begin = end
            continue
        i += 1
    parts.append(text[begin:])
    if len(parts) == 1:
        inner = _without_brackets(text)
        if inner is not None:
            return operands(inner)
        return [text.strip()] if metric_names(text) else []
    return [operand for part in parts for operand in operands(part)]


def _without_brackets(text):
    """What is inside brackets around the whole; None where there are none."""
    tokens = _tokens(text)
    if not tokens or tokens[0][1] != "(" or tokens[-1][1] != ")":
        return None
    depth = 0
    for _, token, _, _ in tokens[:-1]:
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return None
    return text[tokens[0][3]:tokens[-1][2]]
