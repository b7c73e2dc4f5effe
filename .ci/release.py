"""Packs what .ci/release has built, the same bytes for the same input: see there."""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import tarfile
import tomllib
import zipfile

NAME = "outofports"
SUMMARY = "Reads an ETW trace and says which processes ran out of ports, and who holds them"
LICENCE = "MIT OR Apache-2.0"
ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-MIT", "LICENSE-APACHE"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def packed(data):
    """gzip without a name and a time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(data)
    return buffer.getvalue()


def tar_of(members, epoch):
    """A tar archive of path → (bytes or None for a folder, mode), sorted, without owners of this machine."""
    folders = {}
    for path in members:
        for parent in pathlib.PurePosixPath(path).parents:
            if str(parent) != ".":
                folders.setdefault(str(parent), (None, 0o755))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, (data, mode) in sorted({**folders, **members}.items()):
            entry = tarfile.TarInfo(path)
            entry.mtime, entry.mode, entry.uname, entry.gname = epoch, mode, "root", "root"
            if data is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(members, epoch):
    date = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in sorted(members.items()):
            # Its times are even seconds.
            entry = zipfile.ZipInfo(path, (date.year, date.month, date.day, date.hour, date.minute, date.second // 2 * 2))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, data, compresslevel=9)
    return buffer.getvalue()


class Crates:
    """The crates of others in the program, from `cargo metadata` and Cargo.lock."""

    def __init__(self, metadata):
        packages = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        root = next(package["id"] for package in packages.values() if package["name"] == NAME)
        self.graph, ahead = {}, [root]
        while ahead:
            current = ahead.pop()
            if current in self.graph:
                continue
            # What is only built for tests is not in the program.
            self.graph[current] = sorted(
                dependency["pkg"]
                for dependency in nodes[current]["deps"]
                if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            )
            ahead += self.graph[current]
        self.root = root
        self.packages = {identifier: packages[identifier] for identifier in self.graph}
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
        self.checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}

    def of_others(self):
        return sorted(
            (package for package in self.packages.values() if package["source"]), key=lambda one: (one["name"], one["version"])
        )


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def sbom(crates, version, commit, epoch):
    """CycloneDX 1.5. Of all targets and build scripts: what may be in one of the programs."""
    components = []
    for package in sorted(crates.packages.values(), key=lambda one: (one["name"], one["version"])):
        if package["id"] == crates.root:
            continue
        component = {"type": "library", "bom-ref": purl(package), "name": package["name"], "version": package["version"]}
        if package["license"]:
            # Some still write "MIT/Apache-2.0", which is no expression of SPDX.
            component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if checksum := crates.checksums.get((package["name"], package["version"])):
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        component["purl"] = purl(package)
        components.append(component)
    time = datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    root = crates.packages[crates.root]
    serial = sha256(f"{NAME} {version} {commit}".encode())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        # Of version 5's form, from the commit: the same each time.
        "serialNumber": f"urn:uuid:{serial[:8]}-{serial[8:12]}-5{serial[13:16]}-8{serial[17:20]}-{serial[20:32]}",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {
                "type": "application", "bom-ref": purl(root), "name": NAME, "version": version,
                "licenses": [{"expression": LICENCE}], "purl": purl(root),
            },
        },
        "components": components,
        "dependencies": [
            {"ref": purl(crates.packages[identifier]), "dependsOn": sorted({purl(crates.packages[one]) for one in dependencies})}
            for identifier, dependencies in sorted(crates.graph.items(), key=lambda one: purl(crates.packages[one[0]]))
        ],
    }


def third_party(crates, version):
    """The licence texts of all crates, each text once, with the crates that have it."""
    texts, without = {}, []
    for package in crates.of_others():
        folder = pathlib.Path(package["manifest_path"]).parent
        found = sorted(
            path for path in folder.iterdir() if path.is_file() and re.match(r"(?i)(licen[cs]e|copying|notice|copyright|unlicense)", path.name)
        )
        if not found:
            without.append(package)
        for path in found:
            text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()
            texts.setdefault(text, set()).add(f"{package['name']} {package['version']}")
    parts = [
        f"{NAME} {version} is made of crates of others, for all systems together. Their licences:\n\n",
        "".join(f"  {package['name']} {package['version']}: {package['license'] or 'not told'}\n" for package in crates.of_others()),
    ]
    if without:
        names = ", ".join(f"{package['name']} {package['version']}" for package in without)
        parts.append(f"\nThese bring no text of their licence along: {names}.\n")
    for text, names in sorted(texts.items(), key=lambda one: sorted(one[1])):
        parts.append(f"\n{'=' * 80}\n{', '.join(sorted(names))}\n{'-' * 80}\n{text}\n")
    return "".join(parts).encode()


def libraries_of(program):
    """Debian's packages of the libraries that a program needs, from what it imports."""
    needed = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
    versions = subprocess.run(["readelf", "--version-info", "--wide", program], check=True, capture_output=True, text=True).stdout
    glibc = max((tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", versions)), default=None)
    depends = [f"libc6 (>= {'.'.join(map(str, glibc))})"] if glibc else []
    if "libgcc_s.so.1" in needed:
        depends.append("libgcc-s1 (>= 3.0)")
    return depends, ".".join(map(str, glibc)) if glibc else None


def oci(program, members, version, commit, epoch):
    """An image of one layer as an OCI layout, written without a daemon."""
    layer = tar_of(members, epoch)
    time = datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.description": SUMMARY,
        "org.opencontainers.image.licenses": LICENCE,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": commit,
    }
    config = {
        "created": time,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            # Nobody, by number: an image without /etc/passwd knows no names.
            "User": "65532:65532",
            "Env": ["PATH=/usr/bin", "TMPDIR=/tmp"],
            "Entrypoint": ["/usr/bin/outofports"],
            "Cmd": ["--help"],
            "WorkingDir": "/case",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}"]},
        "history": [{"created": time, "created_by": f"{NAME} {version}"}],
    }
    blobs = {}

    def blob(kind, data):
        blobs[f"blobs/sha256/{sha256(data)}"] = (data, 0o644)
        return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data)}

    def text(value):
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("application/vnd.oci.image.config.v1+json", text(config)),
        "layers": [blob("application/vnd.oci.image.layer.v1.tar+gzip", packed(layer))],
    }
    descriptor = blob(manifest["mediaType"], text(manifest))
    descriptor |= {
        "annotations": {"org.opencontainers.image.ref.name": version},
        "platform": {"architecture": "amd64", "os": "linux"},
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [descriptor]}
    return tar_of(
        {"oci-layout": (text({"imageLayoutVersion": "1.0.0"}), 0o644), "index.json": (text(index), 0o644), **blobs}, epoch
    )


def columns():
    """The tables of batch as data, from the page that tests hold to the code."""
    tables, table = {}, None
    for line in (ROOT / "src/batch/TABLES.md").read_text(encoding="utf-8").split("\n"):
        if line.startswith("## "):
            table = line[3:]
        elif table and (row := re.match(r"\| `(\w+)` \| ([^|]*) \| ([^|]*) \| (.*) \|$", line)):
            tables.setdefault(table, []).append(dict(zip(("column", "kind", "unit", "meaning"), (part.strip() for part in row.groups()))))
    assert tables and all(tables.values())
    return tables


def main():
    parser = argparse.ArgumentParser()
    for name in ("version", "commit", "base-url", "rust", "debian-rust"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--source-url")
    parser.add_argument("--epoch", type=int, required=True)
    for name in ("made", "out", "nfpm", "book"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--trial", action="store_true")
    arguments = parser.parse_args()
    version, epoch, made, out = arguments.version, arguments.epoch, arguments.made, arguments.out
    prefix = f"{NAME}-{version}"
    date = datetime.datetime.fromtimestamp(epoch, datetime.UTC)

    def write(name, data):
        (out / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return data if isinstance(data, bytes) else data.encode()

    crates = Crates(json.loads((made / "metadata.json").read_text()))
    licences = third_party(crates, version)
    write(f"{prefix}-third-party-licences.txt", licences)
    write(f"{prefix}.cdx.json", json.dumps(sbom(crates, version, arguments.commit, epoch), indent=1, ensure_ascii=False) + "\n")
    write(f"{prefix}-report.schema.json", (made / "report.schema.json").read_bytes())
    write(f"{prefix}-tables.json", json.dumps(columns(), indent=1, ensure_ascii=False) + "\n")
    documents = {name: (ROOT / name).read_bytes() for name in DOCUMENTS} | {"THIRD-PARTY.txt": licences}
    manuals = {path.name: path.read_bytes() for path in sorted((made / "man").iterdir())}
    completions = {path.name: path.read_bytes() for path in sorted((made / "completions").iterdir())}

    # Linux: one static file, and what belongs beside it.
    for machine in ("x86_64", "arm64"):
        program = made / f"linux-{machine}"
        if not program.exists():
            continue
        folder = f"{prefix}-linux-{machine}"
        members = {f"{folder}/{NAME}": (program.read_bytes(), 0o755)}
        members |= {f"{folder}/{name}": (data, 0o644) for name, data in documents.items()}
        members |= {f"{folder}/man/{name}": (data, 0o644) for name, data in manuals.items()}
        members |= {f"{folder}/completions/{name}": (data, 0o644) for name, data in completions.items()}
        write(f"{folder}.tar.gz", packed(tar_of(members, epoch)))

    # Windows: the same as a zip; texts as they are, which every editor of today reads.
    windows = made / "windows-x86_64.exe"
    archive = None
    if windows.exists():
        archive = f"{prefix}-windows-x86_64.zip"
        write(archive, zip_of({f"{NAME}.exe": windows.read_bytes()} | {name: data for name, data in documents.items()}, epoch))

    # As a zip for Windows, which unpacks nothing else, and as a tar archive for systems that come without unzip.
    folder = made / "examples"
    examples = {f"examples/{path.relative_to(folder)}": path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    write(f"{prefix}-examples.zip", zip_of(examples, epoch))
    write(f"{prefix}-examples.tar.gz", packed(tar_of({path: (data, 0o644) for path, data in examples.items()}, epoch)))
    book = arguments.book
    write(
        f"{prefix}-book.zip",
        zip_of({f"book/{path.relative_to(book)}": path.read_bytes() for path in sorted(book.rglob("*")) if path.is_file()}, epoch),
    )
    source = write(f"{prefix}-source.tar.gz", packed((made / "source.tar").read_bytes()))
    if (made / "page").exists():
        for path in sorted((made / "page").iterdir()):
            write(f"{prefix}-{path.name}", path.read_bytes())

    # The image: the program, its licences, a place for temporary files and one for the case.
    static = made / "linux-x86_64"
    image = {
        f"usr/bin/{NAME}": (static.read_bytes(), 0o755),
        "tmp": (None, 0o1777),
        "case": (None, 0o755),
    } | {f"usr/share/doc/{NAME}/{name}": (documents[name], 0o644) for name in ("LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt")}
    write(f"{prefix}-oci-x86_64.tar", oci(static, image, version, arguments.commit, epoch))

    packages(arguments, made, out, manuals, completions, licences, date)

    # What others need to find these files.
    base = arguments.base_url.rstrip("/")
    if archive or arguments.trial:
        name = archive or f"{prefix}-windows-x86_64.zip"
        hash_of = sha256((out / name).read_bytes()) if archive else "0" * 64
        manifests(out, version, f"{base}/{name}", hash_of, date)
    address = arguments.source_url or f"{base}/{prefix}-source.tar.gz"
    write(f"{NAME}.rb", formula(version, address, sha256(source)))
    write("PROVENANCE.txt", provenance(arguments, version, date))


def packages(arguments, made, out, manuals, completions, licences, date):
    """.deb and .rpm, by nfpm."""
    version = arguments.version
    staged = made / "packages"
    staged.mkdir(exist_ok=True)
    contents = []

    def put(source, data, target, mode=0o644, kind=None):
        path = staged / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (arguments.epoch, arguments.epoch))
        alone = f"packager: {kind}, " if kind else ""
        contents.append(f'  - {{ {alone}src: "{path}", dst: "{target}", file_info: {{ mode: 0{mode:o}, mtime: {date:%Y-%m-%dT%H:%M:%SZ} }} }}\n')

    program = made / "debian-x86_64"
    stripped = staged / "stripped"
    # As dh_strip does it.
    subprocess.run(["strip", "--strip-unneeded", "--remove-section=.comment", "--remove-section=.note", "-o", stripped, program], check=True)
    put(NAME, stripped.read_bytes(), f"/usr/bin/{NAME}", 0o755)
    for name, data in manuals.items():
        put(f"man/{name}.gz", packed(data), f"/usr/share/man/man1/{name}.gz")
    for shell, target, kind in [
        ("bash", f"/usr/share/bash-completion/completions/{NAME}", None),
        ("zsh", f"/usr/share/zsh/vendor-completions/_{NAME}", "deb"),
        ("zsh", f"/usr/share/zsh/site-functions/_{NAME}", "rpm"),
        ("fish", f"/usr/share/fish/vendor_completions.d/{NAME}.fish", None),
    ]:
        put(f"completions/{shell}", completions[shell], target, kind=kind)
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        put(name, (ROOT / name).read_bytes(), f"/usr/share/licenses/{NAME}/{name}", kind="rpm")
    apache = "/usr/share/common-licenses/Apache-2.0"
    mit = (ROOT / "LICENSE-MIT").read_text(encoding="utf-8").strip()
    indented = "\n".join(f" {line}" if line.strip() else " ." for line in mit.split("\n"))
    put(
        "copyright",
        (
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
            f"Upstream-Name: {NAME}\n\nFiles: *\nCopyright: the authors of {NAME}\nLicense: Expat or Apache-2.0\n"
            f"Comment: the crates of others in the program, with their licences, are in\n THIRD-PARTY.txt.gz beside this file.\n\n"
            f"License: Expat\n{indented}\n\nLicense: Apache-2.0\n On Debian, the text is in {apache}.\n"
        ).encode(),
        f"/usr/share/doc/{NAME}/copyright",
        kind="deb",
    )
    put("third-party", packed(licences), f"/usr/share/doc/{NAME}/THIRD-PARTY.txt.gz")
    put("changelog", packed((ROOT / "CHANGELOG.md").read_bytes()), f"/usr/share/doc/{NAME}/changelog.gz")
    debian = (
        f"{NAME} ({version}-1) unstable; urgency=medium\n\n  * Version {version}: see changelog.gz.\n\n"
        f" -- the authors of {NAME} <{NAME}@example.invalid>  {date:%a, %d %b %Y %H:%M:%S} +0000\n"
    )
    put("changelog.Debian", packed(debian.encode()), f"/usr/share/doc/{NAME}/changelog.Debian.gz", kind="deb")
    put("overrides", (ROOT / ".ci/packaging/lintian-overrides").read_bytes(), f"/usr/share/lintian/overrides/{NAME}", kind="deb")
    depends, glibc = libraries_of(program)
    needs = [f"libc.so.6(GLIBC_{glibc})(64bit)"] if glibc else []
    needs += ["libgcc_s.so.1()(64bit)"] if any(one.startswith("libgcc-s1") for one in depends) else []
    settings = staged / "nfpm.yaml"
    quoted = json.dumps
    settings.write_text(
        f"name: {NAME}\narch: amd64\nplatform: linux\nversion: {version}\nversion_schema: none\nrelease: 1\nsection: net\npriority: optional\n"
        f"maintainer: the authors of {NAME} <{NAME}@example.invalid>\nlicense: {LICENCE}\n"
        f"mtime: {date:%Y-%m-%dT%H:%M:%SZ}\n"
        "description: |\n  find out who holds the ports of a Windows server that ran out of them\n"
        "  Reads a Windows ETW trace and says whether the server ran out of ports,\n"
        "  which process holds them, which suffered, since when, how sure that is,\n  and what to do next.\n"
        f"contents:\n{''.join(contents)}"
        f"overrides:\n  deb:\n    depends: {quoted(depends)}\n"
        f"  rpm:\n    depends: {quoted(needs)}\n"
        "deb:\n  compression: xz\nrpm:\n  compression: xz\n  buildhost: localhost\n",
        encoding="utf-8",
    )
    for kind, name in (("deb", f"{NAME}_{version}-1_amd64.deb"), ("rpm", f"{NAME}-{version}-1.x86_64.rpm")):
        subprocess.run([arguments.nfpm, "package", "--config", settings, "--packager", kind, "--target", out / name], check=True, stdout=subprocess.DEVNULL)


def manifests(out, version, address, hash_of, date):
    """For winget and scoop."""
    identifier = "outofports.outofports"
    head = "# yaml-language-server: $schema=https://aka.ms/winget-manifest.{kind}.1.6.0.schema.json\n\n"
    common = f"PackageIdentifier: {identifier}\nPackageVersion: {version}\n"
    tail = "ManifestVersion: 1.6.0\n"
    folder = out / "winget"
    folder.mkdir()
    for name, kind, text in [
        (f"{identifier}.yaml", "version", f"{common}DefaultLocale: en-US\nManifestType: version\n"),
        (
            f"{identifier}.installer.yaml",
            "installer",
            f"{common}InstallerType: zip\nNestedInstallerType: portable\nNestedInstallerFiles:\n- RelativeFilePath: {NAME}.exe\n"
            f"  PortableCommandAlias: {NAME}\nReleaseDate: {date:%Y-%m-%d}\nInstallers:\n- Architecture: x64\n  InstallerUrl: {address}\n"
            f"  InstallerSha256: {hash_of.upper()}\nManifestType: installer\n",
        ),
        (
            f"{identifier}.locale.en-US.yaml",
            "defaultLocale",
            f"{common}PackageLocale: en-US\nPublisher: outofports\nPackageName: {NAME}\nLicense: {LICENCE}\nShortDescription: {SUMMARY}\n"
            "Tags:\n- etw\n- network\n- ports\n- troubleshooting\nManifestType: defaultLocale\n",
        ),
    ]:
        (folder / name).write_text(head.format(kind=kind) + text + tail, encoding="utf-8")
    scoop = {
        "version": version,
        "description": SUMMARY,
        "homepage": address.rsplit("/", 1)[0],
        "license": {"identifier": "MIT|Apache-2.0"},
        "architecture": {"64bit": {"url": address, "hash": hash_of}},
        "bin": f"{NAME}.exe",
    }
    (out / f"{NAME}.scoop.json").write_text(json.dumps(scoop, indent=4) + "\n", encoding="utf-8")


def formula(version, address, hash_of):
    """Homebrew, from the source: nobody here has built or run a program for macOS."""
    return f'''class Outofports < Formula
  desc "Says who holds the ports of a Windows server that ran out of them"
  homepage "{address.rsplit("/", 1)[0]}"
  url "{address}"
  version "{version}"
  sha256 "{hash_of}"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", "--features", "parquet", *std_cargo_args
    generate_completions_from_executable(bin/"{NAME}", "completions")
    system bin/"{NAME}", "man", "--out", buildpath/"man"
    man1.install Dir[buildpath/"man/*.1"]
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/{NAME} --version")
    assert_match "WSAENOBUFS", shell_output("#{{bin}}/{NAME} explain 10055")
  end
end
'''


def provenance(arguments, version, date):
    lock = sha256((ROOT / "Cargo.lock").read_bytes())
    trial = "\nTHIS IS A TRIAL: a program that was given stands for those for Linux. It is no release.\n" if arguments.trial else ""
    return (
        f"{NAME} {version}\n{trial}\n"
        f"source     commit {arguments.commit} of {date:%Y-%m-%d %H:%M:%S} UTC\n"
        f"Cargo.lock sha256 {lock}\n"
        f"Linux      x86-64: {arguments.rust}, target x86_64-unknown-linux-gnu, features cli and parquet\n"
        f"others     {arguments.debian_rust} of Debian (rustc-web), which builds the standard library too:\n"
        "           Windows x86_64-win7-windows-gnu, Linux aarch64-unknown-linux-gnu, both as above; the page wasm32-unknown-unknown\n\n"
        "To make the same files, in a clone of the source at that commit, on Debian 12 with this compiler:\n\n"
        f"  .ci/release {version} --base-url {arguments.base_url}\n\n"
        "To verify a file: sha256sum --check --ignore-missing SHA256SUMS\n"
    )


main()
