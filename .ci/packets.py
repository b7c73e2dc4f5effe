"""Compares packets as tshark reads them with what truly happened: packets.py FORM FIELDS.tsv [TRUTH.ndjson]"""

import json
import re
import sys
from collections import Counter
from decimal import Decimal

EPOCH_100NS = 116_444_736_000_000_000
WHO = re.compile(r'^process=(?:-|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^ ]+)) pid=(?P<pid>-|\d+) owner=(?P<owner>[a-z_]+)$')

form, fields = sys.argv[1:3]


def fail(what):
    sys.exit(f".ci/packets: {form}: {what}")


frames, failures = [], 0
for line in open(fields, encoding="utf-8"):
    time, length, captured, comment, protocols, malformed = line.rstrip("\n").split("\t")
    if "systemd" in protocols:
        failures += 1
        continue
    if malformed:
        fail(f"frame {len(frames) + 1} is malformed")
    frames.append((time, int(length), int(captured), comment))

if form == "pktmon":
    # The events of the trace are these: 38 packets, each seen at two or four components.
    first, last = frames[0][0], frames[-1][0]
    expected = (38, "1718050715.489172100", "1718050733.")
    if len(frames) != expected[0] or first != expected[1] or not last.startswith(expected[2]):
        fail(f"{len(frames)} packets from {first} to {last}")
    if Counter(length for _, length, _, _ in frames) != {98: 38}:
        fail("lengths differ")
    print(f"pktmon: {len(frames)} packets from {first} to {last}")
    sys.exit()

truth = [json.loads(line) for line in open(sys.argv[3], encoding="utf-8")]
if len(frames) != len(truth):
    fail(f"{len(frames)} packets, {len(truth)} were written")
found, owned, kinds = Counter(), Counter(), Counter()
for number, (frame, true) in enumerate(zip(frames, truth), 1):
    time, length, captured, comment = frame
    if int(Decimal(time) * 10_000_000) != true["time"] - EPOCH_100NS:
        fail(f"frame {number}: time {time} is not {true['time']}")
    if (length, captured) != (true["length"], true["captured"]):
        fail(f"frame {number}: lengths {length} and {captured} are not {true}")
    who = WHO.match(comment.split("\\n")[0].split("\n")[0])
    if not who:
        fail(f"frame {number}: comment {comment!r}")
    kinds[true["kind"]] += 1
    owned[true["kind"]] += true["owner"] is not None
    if who["pid"] == "-":
        continue
    if true["owner"] is None or int(who["pid"]) != true["owner"][0]:
        fail(f"frame {number}: {comment!r} is wrong: {true}")
    image = true["owner"][1]
    if image.isascii() and image.replace("-", "").replace(".", "").isalnum() and who["plain"] != image:
        fail(f"frame {number}: {comment!r} is wrong: {true}")
    found[true["kind"]] += 1
if failures < 20:
    fail(f"{failures} failures are shown")
print(f"{form}: {len(frames)} packets, {failures} failures, no wrong owner; of those with an owner:")
for kind, count in sorted(owned.items()):
    if count:
        print(f"  {kind:10} {found[kind]} of {count}, {100 * found[kind] / count:.2f} %")
share = sum(found.values()) / sum(owned.values())
print(f"  all        {100 * share:.2f} %")
if share < (0.99 if form == "tcpip" else 0.5):
    fail("too many owners are not found")
