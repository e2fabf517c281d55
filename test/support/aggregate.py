"""Recomputes aggregates from the raw points in InfluxDB, and compares them with those that are stored.

Knows nothing of the pack: reads both through InfluxDB's HTTP API, and computes with Python's own statistics and
math.fsum. Takes one JSON object from standard input:

  url, token or basic (optional), database (1.x; else the bucket is the database)
  now      ns since 1970: windows that end later may be missing
  rules    [{bucket, measurement, into, every (ns), fields: {field: [function, ...]}, since (ns), kept (ns)}]
           windows that start before `since` may be missing or old; those before `kept` are not looked at

Prints one JSON object: windows and points that were compared, faults (the first hundred), and how many there are.
"""

import datetime
import json
import math
import statistics
import sys
import urllib.parse
import urllib.request

FUNCTIONS = {
    "mean": statistics.mean,
    "median": statistics.median,
    "min": min,
    "max": max,
    "sum": math.fsum,
    "count": len,
}


def ask3(task, bucket, statement):
    """Rows of 3.x: a JSON object a line, without what is null."""
    body = json.dumps({"db": bucket, "q": statement, "format": "jsonl"}).encode()
    headers = {"Authorization": "Bearer " + task["token"], "Content-Type": "application/json"}
    request = urllib.request.Request(task["url"] + "/api/v3/query_influxql", body, headers)
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            yield json.loads(line)


def rows3(task, bucket, measurement):
    fields = {row["fieldKey"] for row in ask3(task, bucket, 'SHOW FIELD KEYS FROM "%s"' % measurement)}
    for row in ask3(task, bucket, 'SELECT * FROM "%s" GROUP BY *' % measurement):
        del row["iox::measurement"]
        seconds, _, fraction = row.pop("time").partition(".")
        moment = datetime.datetime.fromisoformat(seconds + "+00:00")
        time = int(moment.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))
        tags = tuple(sorted((name, value) for name, value in row.items() if name not in fields))
        yield tags, time, {name: value for name, value in row.items() if name in fields}


def is3(task):
    if not task.get("token"):
        return False
    request = urllib.request.Request(task["url"] + "/ping", headers={"Authorization": "Bearer " + task["token"]})
    with urllib.request.urlopen(request) as answer:
        return answer.headers.get("x-influxdb-version", "").startswith("3.")


def rows(task, bucket, measurement):
    """All rows of a measurement: (tags, time, {field: value})."""
    if is3(task):
        yield from rows3(task, bucket, measurement)
        return
    place = {"db": task["database"], "rp": bucket} if task.get("database") else {"db": bucket}
    statement = 'SELECT * FROM "%s" GROUP BY *' % measurement
    query = urllib.parse.urlencode({**place, "q": statement, "epoch": "ns", "chunked": "true", "chunk_size": 10000})
    request = urllib.request.Request(task["url"] + "/query?" + query)
    if task.get("token"):
        request.add_header("Authorization", "Token " + task["token"])
    if task.get("basic"):
        request.add_header("Authorization", "Basic " + task["basic"])
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            if not line.strip():
                continue
            for result in json.loads(line)["results"]:
                if "error" in result:
                    raise SystemExit("%s: %s" % (statement, result["error"]))
                for series in result.get("series", []):
                    tags = tuple(sorted((name, value) for name, value in series.get("tags", {}).items() if value != ""))
                    columns = series["columns"]
                    for row in series["values"]:
                        fields = {name: value for name, value in zip(columns, row) if value is not None}
                        yield tags, fields.pop("time"), fields


def recomputed(task, rule):
    windows = {}
    points = 0
    for tags, time, fields in rows(task, rule["bucket"], rule["measurement"]):
        start = time - time % rule["every"]
        if start < rule["kept"]:
            continue
        points += 1
        window = windows.setdefault((tags, start), {})
        for field in rule["fields"]:
            if field in fields:
                window.setdefault(field, []).append(float(fields[field]))
    expected = {}
    for key, window in windows.items():
        if window:
            expected[key] = {
                "%s_%s" % (field, function): float(FUNCTIONS[function](values))
                for field, values in window.items()
                for function in [*rule["fields"][field], "count"]
            }
    return expected, points


def compare(task, rule):
    expected, points = recomputed(task, rule)
    stored = {}
    corrected = is3(task)
    for tags, time, fields in sorted(rows(task, rule["into"], rule["measurement"]), key=lambda row: row[1]):
        if time < rule["kept"]:
            continue
        # On 3.x a correction is a row of its own, a nanosecond after the last, and the last one counts.
        start = time - time % rule["every"] if corrected else time
        stored[(tags, start)] = {name: float(value) for name, value in fields.items()}
    faults = []
    for key in expected.keys() | stored.keys():
        tags, start = key
        if start < rule["since"]:
            continue
        name = "%s every %d s %s at %d" % (rule["measurement"], rule["every"] / 1e9, dict(tags), start)
        if key not in stored:
            if start + rule["every"] <= task["now"]:
                faults.append("missing: " + name)
        elif key not in expected:
            faults.append("extra: " + name)
        elif stored[key] != expected[key]:
            faults.append("wrong: %s: %s instead of %s" % (name, stored[key], expected[key]))
    return len(expected), points, faults


def main():
    task = json.load(sys.stdin)
    report = {"windows": 0, "points": 0, "wrong": 0, "faults": []}
    for rule in task["rules"]:
        windows, points, faults = compare(task, rule)
        report["windows"] += windows
        report["points"] += points
        report["wrong"] += len(faults)
        report["faults"] += faults[:100]
    json.dump(report, sys.stdout)


main()
