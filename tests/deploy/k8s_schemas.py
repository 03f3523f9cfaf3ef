#!/usr/bin/env python3
"""Usage: tests/deploy/k8s_schemas.py FOLDER
Validates the manifests in FOLDER (*.yaml), unknown fields refused, against the schemas of the
two newest Kubernetes versions that kubernetes-validate (PyPI) knows. Kinds of the Prometheus
operator and KEDA, which it does not know, against schemas/, which hold the fields used here."""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions, major_minor
from packaging.version import Version

SCHEMAS = pathlib.Path(__file__).parent / "schemas"


def main(folder):
    versions = sorted({major_minor(v) for v in all_versions()}, key=Version)[-2:]
    own = {path.stem: json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")}
    documents, ours, errors = 0, set(), []
    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            documents += 1
            what = f"{path.name}: {document['kind']} {document['metadata']['name']}"
            if document["kind"] in own:
                ours.add(document["kind"])
                try:
                    jsonschema.validate(document, own[document["kind"]])
                except jsonschema.ValidationError as error:
                    errors.append(f"{what}: {error.json_path}: {error.message}")
                continue
            for version in versions:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    errors.append(f"{what}: {version}: {error.json_path}: {error.message}")
                except kubernetes_validate.SchemaNotFoundError as error:
                    errors.append(f"{what}: {error.message}")
    for error in errors:
        print(f"k8s-schemas: {error}", file=sys.stderr)
    if not documents:
        print(f"k8s-schemas: no manifests in '{folder}'", file=sys.stderr)
    if errors or not documents:
        return 1
    print(f"k8s-schemas: {documents} documents are as Kubernetes {' and '.join(versions)} want "
          f"them ({', '.join(sorted(ours))}: by tests/deploy/schemas)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
