# SPDX-License-Identifier: Apache-2.0
"""Counts test cases over a ctest run: TAP of the C programs, JUnit of the pytest files.

usage: tally.py RESULTS-DIR CTEST-EXIT-STATUS

RESULTS-DIR holds ctest.xml (ctest --output-junit) and one NAME.xml for each ctest entry that
runs pytest. An entry without either counts as one case; one that failed although no case of it
says so (a crash, a sanitizer report, a time-out) adds a failed case.
"""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

TAP = re.compile(r"^(not ok|ok) \d+ - (.*?)(?: # SKIP ?(.*))?$", re.M)
TAP_SKIP_ALL = re.compile(r"^1\.\.0 # SKIP ?(.*)$", re.M)

Case = collections.namedtuple("Case", "state name reason")


def tap_cases(text):
    skipped = TAP_SKIP_ALL.search(text)
    if skipped:
        return [Case("skipped", "", skipped.group(1))]
    cases = []
    for verdict, name, reason in TAP.findall(text):
        if verdict == "not ok":
            cases.append(Case("failed", name, ""))
        elif f"{name} # SKIP" in text:
            cases.append(Case("skipped", name, reason))
        else:
            cases.append(Case("passed", name, ""))
    return cases


def pytest_cases(path):
    cases = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name", "")
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            cases.append(Case("failed", name, ""))
        elif skipped is not None:
            cases.append(Case("skipped", name, skipped.get("message", "")))
        else:
            cases.append(Case("passed", name, ""))
    return cases


def entry_cases(entry, results):
    """The cases of one ctest entry."""
    name = entry.get("name")
    ran_pytest = results / f"{name}.xml"
    output = entry.findtext("system-out") or ""
    cases = pytest_cases(ran_pytest) if ran_pytest.exists() else tap_cases(output)
    failed = entry.get("status") == "fail" or entry.find("failure") is not None
    if not cases:
        state = "failed" if failed else "passed"
        if not failed and (entry.get("status") in ("notrun", "disabled")
                           or entry.find("skipped") is not None):
            state = "skipped"
        reason = entry.find("skipped")
        return [Case(state, "", reason.get("message", "") if reason is not None else "")]
    if failed and not any(case.state == "failed" for case in cases):
        cases.append(Case("failed", "(the program: crash, sanitizer report or time-out)", ""))
    return cases


def tally(results):
    """(Counter of states, lines to print above the closing line)"""
    counts, lines = collections.Counter(), []
    for entry in ElementTree.parse(results / "ctest.xml").getroot().iter("testcase"):
        for case in entry_cases(entry, results):
            counts[case.state] += 1
            title = f"{entry.get('name')}: {case.name}" if case.name else entry.get("name")
            if case.state == "failed":
                lines.append(f"failed: {title}")
            elif case.state == "skipped":
                lines.append(f"skipped: {title}: {case.reason or 'NO REASON GIVEN'}")
    return counts, lines


def main():
    results, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    try:
        counts, lines = tally(results)
    except (OSError, ElementTree.ParseError) as error:
        counts, lines = collections.Counter(failed=1), [f"failed: no result of ctest: {error}"]
    if status != 0 and counts["failed"] == 0:
        counts["failed"] = 1
        lines.append(f"failed: ctest ended with status {status}")
    if sum(counts.values()) == 0:
        counts["failed"] = 1
        lines.append("failed: no test was run")
    print("\n".join(lines), end="\n" if lines else "")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
