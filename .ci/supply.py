"""A reason for each crate that the programs are made of: supply.py [--write] METADATA LIST

Every dependency that a Cargo.toml of the workspace names has a comment above it that says what it is for, and is used. The list
holds every crate that is shipped, in its version, with who brings it and whether it runs code while it is built. A crate that is
not in it is not yet looked at.
"""

import json
import pathlib
import re
import sys

HEADING = "crate\tversion\tlicence\truns while building\tfor\n"


def fail(messages):
    for message in messages:
        print(f".ci/supply: {message}", file=sys.stderr)
    sys.exit(1)


def reasons_of(manifest):
    """Comments above the dependencies of a manifest: name → (reason, kind of table)."""
    found, comment, table = {}, [], ""
    for line in manifest.read_text(encoding="utf-8").split("\n"):
        if line.startswith("["):
            table, comment = line.strip("[]"), []
        elif line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif (name := re.match(r'"?([A-Za-z0-9_-]+)"?(\.workspace)? *=', line)) and "dependencies" in table:
            # Neighbours share a comment: `arrow-array` and `arrow-schema`.
            if comment or name[1] not in found:
                found[name[1]] = (" ".join(comment) or found.get("", ("",))[0], table)
            found[""] = found[name[1]]
            comment = []
        elif not line.strip():
            comment = []
    found.pop("", None)
    return found


def main():
    write = "--write" in sys.argv
    metadata_path, list_path = (pathlib.Path(argument) for argument in sys.argv[1:] if argument != "--write")
    metadata = json.loads(metadata_path.read_text())
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    members = [packages[member] for member in metadata["workspace_members"]]
    problems = []

    # A reason for each, and a use.
    direct = {}
    for member in members:
        manifest = pathlib.Path(member["manifest_path"])
        folder = manifest.parent
        reasons = reasons_of(manifest)
        code = "\n".join(
            path.read_text(encoding="utf-8")
            for part in ("src", "tests", "benches", "examples", "build.rs")
            for path in ([folder / part] if part.endswith(".rs") else sorted((folder / part).rglob("*.rs")))
            if path.is_file()
        )
        for dependency in member["dependencies"]:
            name = dependency["name"]
            if dependency.get("path") is None:
                reason = reasons.get(name, ("", ""))[0]
                if not reason:
                    problems.append(f"{manifest}: {name} has no line that says what it is for")
                elif dependency["kind"] != "dev":
                    direct.setdefault(name, reason)
            identifier = (dependency["rename"] or name).replace("-", "_")
            if not re.search(rf"\b{identifier}\b", code):
                problems.append(f"{manifest}: nothing uses {name}")

    # What is shipped: from the program and the two libraries along normal and build dependencies.
    shipped, open_ones = {}, [member["id"] for member in members if member["name"] in ("outofports", "etl-parser", "etw-schema")]
    for start in open_ones:
        shipped[start] = set()
    while open_ones:
        current = open_ones.pop()
        for dependency in nodes[current]["deps"]:
            if all(kind["kind"] == "dev" for kind in dependency["dep_kinds"]):
                continue
            # Of the libraries' own optional features the program uses some: what it does not ask for is in the list too.
            brought = shipped.setdefault(dependency["pkg"], set())
            if not brought and dependency["pkg"] not in open_ones:
                open_ones.append(dependency["pkg"])
            brought.add(packages[current]["name"])
    lines = []
    for identifier, brought in shipped.items():
        package = packages[identifier]
        if package["source"] is None:
            continue
        kinds = {kind for target in package["targets"] for kind in target["kind"]}
        runs = [word for word, is_so in [("macro", "proc-macro" in kinds), ("build script", "custom-build" in kinds), (f"links {package['links']}", package["links"])] if is_so]
        reason = direct.get(package["name"]) or "brought by " + ", ".join(sorted(brought))
        lines.append("\t".join([package["name"], package["version"], package["license"] or "?", ", ".join(runs), reason]) + "\n")
    text = HEADING + "".join(sorted(lines))
    running = sum(1 for line in lines if line.split("\t")[3])
    if write:
        list_path.write_text(text, encoding="utf-8")
    listed = list_path.read_text(encoding="utf-8") if list_path.exists() else ""
    if listed != text:
        for line in sorted(set(text.splitlines()) - set(listed.splitlines())):
            problems.append(f"not looked at: {line}")
        for line in sorted(set(listed.splitlines()) - set(text.splitlines())):
            problems.append(f"no longer there: {line}")
        problems.append(f"{list_path} is of another state: look at these, then .ci/supply --write")
    if problems:
        fail(problems)
    print(f"{len(lines)} crates of others, {running} of which run code while they are built; {len(direct)} named by a manifest, each with its reason, all used")


main()
