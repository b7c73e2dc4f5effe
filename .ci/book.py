"""What .ci/book needs: runs the commands of pages, writes what the program prints itself, and follows links.

book.py run [--write] --programs DIR --examples DIR --work DIR PAGES
    Runs every command of every block `sh` in a copy of the examples, one for each page, and compares the block `text` that
    follows with what the commands of the block before it print. In such a block, a line `[...]` stands for any lines.
    `sh,exit=N`: the last command ends with N. `sh,not-run`: is counted as not run. Blocks for Windows (`bat`, `powershell`) are
    not run; the options of `outofports` in them are looked at by the program itself.
book.py generate --programs DIR --examples DIR PAGES
    Writes the pages and parts that the program prints.
book.py links HTML
    Every link leads to a file of the book, and to a place in it.
"""

import argparse
import html.parser
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse

ELISION = "[...]"
# Blocks that hold no commands of a reader.
QUIET_KINDS = {"text", "rust", "json", "yaml", "sql", "csv", "toml"}
WINDOWS_KINDS = {"bat", "powershell"}


def fail(message):
    print(f".ci/book: {message}", file=sys.stderr)
    sys.exit(1)


class Block:
    """A fenced block: its kind, the words behind it, its lines and where they begin (from 0)."""

    def __init__(self, kind, words, first):
        self.kind, self.words, self.first, self.lines = kind, words, first, []


def blocks_of(page):
    blocks, inside = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").split("\n")):
        if inside is None and line.startswith("```"):
            kind, *words = line[3:].strip().split(",")
            if not kind:
                fail(f"{page}:{number + 1}: a block without its kind")
            inside = Block(kind, words, number + 1)
        elif inside is not None and line == "```":
            blocks.append(inside)
            inside = None
        elif inside is not None:
            inside.lines.append(line)
    if inside is not None:
        fail(f"{page}:{inside.first}: the block does not end")
    return blocks


def commands_of(block):
    """Lines that hold a command, those that go on behind a backslash joined."""
    commands, begun = [], ""
    for line in block.lines:
        if line.endswith("\\"):
            begun += line + "\n"
            continue
        line, begun = begun + line, ""
        if line.strip() and not line.lstrip().startswith("#"):
            commands.append(line)
    return commands


def matches(shown, printed):
    """Whether lines are as shown, where a line of elision stands for any."""
    parts, part = [], []
    for line in shown:
        if line == ELISION:
            parts.append(part)
            part = []
        else:
            part.append(line)
    parts.append(part)
    if len(parts) == 1:
        return shown == printed
    first, *middle, last = parts
    if printed[: len(first)] != first:
        return False
    at = len(first)
    for part in middle:
        found = next((i for i in range(at, len(printed) - len(part) + 1) if printed[i : i + len(part)] == part), None)
        if found is None:
            return False
        at = found + len(part)
    return not last or (len(printed) - len(last) >= at and printed[-len(last) :] == last)


def renewed(shown, printed, place):
    """What is shown, with the lines of now: each part keeps its length and the line that it begins with."""
    if ELISION not in shown:
        return printed
    result, part, is_first = [], [], True
    for line in shown + [None]:
        if line is not None and line != ELISION:
            part.append(line)
            continue
        if part and is_first:
            result += printed[: len(part)]
        elif part:
            if part[0] not in printed:
                fail(f"{place}: no line of now is: {part[0]}")
            at = printed.index(part[0])
            result += printed[at : at + len(part)]
        if line == ELISION:
            result.append(line)
        part, is_first = [], False
    return result


def run_pages(arguments):
    pages = sorted(arguments.pages.rglob("*.md"))
    program = arguments.programs / "outofports"
    environment = {
        "PATH": f"{arguments.programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "NO_COLOR": "1",
    }
    run = compared = not_run = options = 0
    problems = []
    shutil.rmtree(arguments.work, ignore_errors=True)
    for page in pages:
        name = page.relative_to(arguments.pages)
        folder = arguments.work / str(name).replace("/", "-").removesuffix(".md")
        printed = None
        replaced = []
        for block in blocks_of(page):
            place = f"{name}:{block.first}"
            if block.kind == "sh" and "not-run" in block.words:
                not_run += len(commands_of(block))
                printed = None
            elif block.kind == "sh":
                if not folder.exists():
                    # Nobody writes into a file that is there: links will do.
                    shutil.copytree(arguments.examples, folder, copy_function=os.link)
                wanted = next((int(word.removeprefix("exit=")) for word in block.words if word.startswith("exit=")), 0)
                commands = commands_of(block)
                if not commands:
                    problems.append(f"{place}: a block without a command")
                printed = []
                for index, command in enumerate(commands):
                    done = subprocess.run(
                        ["bash", "-euo", "pipefail", "-c", command],
                        cwd=folder,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        text=True,
                        timeout=300,
                    )
                    run += 1
                    expected = wanted if index == len(commands) - 1 else 0
                    if done.returncode != expected:
                        problems.append(f"{place}: {command}\n  ended with {done.returncode}, not {expected}\n{done.stderr}")
                    printed += done.stdout.removesuffix("\n").split("\n") if done.stdout else []
                printed = [line.rstrip() for line in printed]
            elif block.kind == "text":
                if printed is None:
                    continue
                compared += 1
                if not matches(block.lines, printed):
                    if arguments.write:
                        replaced.append((block, renewed(block.lines, printed, place)))
                    else:
                        missing = [line for line in block.lines if line != ELISION and line not in printed]
                        told = "these lines are not printed" if missing else "the lines are printed in another order, or not as neighbours"
                        problems.append("\n  ".join([f"{place}: {told}:", *missing]))
                printed = None
            elif block.kind in WINDOWS_KINDS:
                printed = None
                for command in commands_of(block):
                    not_run += 1
                    words = shlex.split(command.replace("\\", "/"))
                    if pathlib.PurePath(words[0]).name.removesuffix(".exe") != "outofports" or words[1] not in ("live", "collect"):
                        continue
                    # On another system these commands end behind their options, with their own words.
                    answer = subprocess.run([program, *words[1:]], capture_output=True, text=True, stdin=subprocess.DEVNULL)
                    options += 1
                    if answer.returncode != 2 or "this command needs Windows" not in answer.stderr:
                        problems.append(f"{place}: {command}\n{answer.stderr}")
            elif block.kind in QUIET_KINDS:
                printed = None
                if block.kind == "json":
                    json.loads("\n".join(block.lines))
            else:
                problems.append(f"{place}: nobody knows blocks of the kind {block.kind}")
        if replaced:
            lines = page.read_text(encoding="utf-8").split("\n")
            for block, now in reversed(replaced):
                lines[block.first : block.first + len(block.lines)] = now
            page.write_text("\n".join(lines), encoding="utf-8")
            print(f"{name}: {len(replaced)} outputs written anew")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(pages)} pages: {run} commands run, {compared} outputs compared; {not_run} commands not run, of {options} of them the options looked at")
    if problems:
        fail(f"{len(problems)} problems")
    if not run or not compared or not not_run:
        fail("it looked at nothing")


def generate(arguments):
    """Parts that only the program knows."""
    program = arguments.programs / "outofports"

    def ask(*words):
        return subprocess.run([program, *words], cwd=arguments.examples, check=True, capture_output=True, text=True).stdout

    folder = arguments.pages / "generated"
    folder.mkdir(exist_ok=True)
    report = json.loads(ask("analyze", "cases/no-afd-capture", "-f", "json", "--quiet"))
    capture = next(step for step in report["recommendations"] if step["code"] == "capture")
    stop = capture["commands"].index("netsh trace stop")
    start = next(i for i, command in enumerate(capture["commands"]) if command.startswith("netsh trace start"))
    (folder / "capture-start.txt").write_text("\n".join(capture["commands"][: start + 1]) + "\n")
    (folder / "capture-stop.txt").write_text("\n".join(capture["commands"][start + 1 : stop + 1]) + "\n")
    version = report["tool"]["version"]

    # One page for each kind of code would tear apart what is searched in one go; links lead to each code.
    entries = json.loads(ask("explain", "-f", "json"))
    page = [
        "# Codes",
        "",
        f"Every code, status, error and event that a report of version {version} can mention, with its explanation. `outofports explain`",
        "prints the same, `outofports explain CODE` one of them.",
        "",
    ]
    kind = None
    known = {entry["code"] for entry in entries}

    def escaped(text):
        # Text of the program is no markup, but what it sets in backquotes is code.
        return "`".join(
            part if index % 2 else re.sub(r"([\\<>*_\[\]#|])", r"\\\1", part) for index, part in enumerate(text.split("`"))
        )

    for entry in entries:
        if entry["kind"] != kind:
            kind = entry["kind"]
            page += [f"## {kind.replace('_', ' ').capitalize()}", ""]
        title = f"`{entry['code']}`" + (f" {escaped(entry['name'])}" if entry["name"] else "")
        page += [f"### {title}", "", f"**{escaped(entry['meaning'])}**", "", escaped(entry["explanation"]), ""]
        if entry["see"]:
            page += ["See also: " + ", ".join(f"`{code}`" for code in entry["see"]) + ".", ""]
        if entry["sources"]:
            page += ["Sources: " + ", ".join(f"<{source}>" for source in entry["sources"]) + ".", ""]
    (arguments.pages / "reference" / "codes.md").write_text("\n".join(page))
    print(f"{len(entries)} codes explained, of {len(known)} different names")

    # Guides of the libraries, whose code their own tests compile.
    root = pathlib.Path(__file__).resolve().parent.parent
    for crate in ("etl-parser", "etw-schema"):
        text = (root / "parsers" / crate / "README.md").read_text(encoding="utf-8")
        (folder / f"{crate}.md").write_text(text.removeprefix(f"# {crate}\n"), encoding="utf-8")
        for example in sorted((root / "parsers" / crate / "examples").glob("*.rs")):
            (folder / "examples").mkdir(exist_ok=True)
            shutil.copy(example, folder / "examples")

    # Documents that stand beside the code: their own links lead into the repository, which the book does not hold.
    for source, target, title in [
        ("src/report/SCHEMA.md", "reference/json.md", "The JSON report"),
        ("src/batch/TABLES.md", "reference/tables.md", "Tables of batch"),
        ("parsers/etl-parser/FORMAT.md", "reference/format-claims.md", "The format, claim by claim"),
        ("src/live/WATCHING.md", "reference/watching.md", "For those who watch machines"),
    ]:
        text = (root / source).read_text(encoding="utf-8")
        text = re.sub(r"(?m)\A# .*\n", "", text)
        # Links of rustdoc and into the repository become plain text; those within the page and to the web stay.
        text = re.sub(r"\[([^\]\n]+)\]\((?!https?:|#)[^)]*\)", r"\1", text)
        text = re.sub(r"\[(`[^\]\n]+`)\](?![\[(])", r"\1", text)
        text = re.sub(r"(?m)^```text,[^\n]*$", "```text", text)
        (arguments.pages / target).write_text(f"# {title}\n\nThis page is `{source}` of the repository.\n\n{text}", encoding="utf-8")


class Page(html.parser.HTMLParser):
    """Links and places of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.places.add(value)
            if name in ("href", "src") and value is not None:
                self.links.append((tag, value))


def links(arguments):
    root = arguments.html.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    inside = outside = 0
    broken = set()
    for path, page in pages.items():
        if path.name in ("print.html", "toc.html", "404.html"):
            # The same content again; links of the error page are relative to where it is shown.
            continue
        for _, link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme in ("http", "https"):
                outside += 1
                continue
            if parts.scheme:
                broken.add(f"{path.relative_to(root)}: {link}")
                continue
            inside += 1
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            place = urllib.parse.unquote(parts.fragment)
            if not target.is_file() or not target.is_relative_to(root):
                broken.add(f"{path.relative_to(root)}: {link}: there is no such file")
            elif place and target in pages and place not in pages[target].places:
                broken.add(f"{path.relative_to(root)}: {link}: there is no such place")
    for link in sorted(broken):
        print(link, file=sys.stderr)
    print(f"{len(pages)} files of HTML: {inside} links within the book followed, {len(broken)} broken; {outside} to the web, not asked")
    if broken:
        fail(f"{len(broken)} links are broken")
    if not inside:
        fail("it followed no link")


def main():
    parser = argparse.ArgumentParser(description="Checks the book")
    jobs = parser.add_subparsers(required=True)
    job = jobs.add_parser("run")
    job.add_argument("--write", action="store_true")
    job.add_argument("--work", type=pathlib.Path, required=True)
    job.set_defaults(does=run_pages)
    other = jobs.add_parser("generate")
    other.set_defaults(does=generate)
    for one in (job, other):
        one.add_argument("--programs", type=pathlib.Path, required=True)
        one.add_argument("--examples", type=pathlib.Path, required=True)
        one.add_argument("pages", type=pathlib.Path)
    one = jobs.add_parser("links")
    one.add_argument("html", type=pathlib.Path)
    one.set_defaults(does=links)
    arguments = parser.parse_args()
    arguments.does(arguments)


if __name__ == "__main__":
    main()
