#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Runs the iommufd-sim command as a user would: command.py COMMAND DATA_DIR CASE."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

command, data, case = sys.argv[1:4]


def run(*args, status=0, stdin=None):
    done = subprocess.run([command, *args], capture_output=True, text=True, timeout=300)
    if done.returncode != status:
        sys.exit(f"{' '.join(args)}: exit status {done.returncode}, expected {status}\n"
                 f"{done.stdout}{done.stderr}")
    return done


def guest(name):
    return os.path.join(data, f"qemu-q35-{name}.flatview")


def live_update(*args):
    """A run that must be fine, as its JSON."""
    report = json.loads(run("live-update", "--json", "--quiet", *args).stdout)
    assert report["fine"] is True, report
    assert report["updates_done"] == report["updates_wanted"] == len(report["updates"]), report
    assert report["reports"] == [] and report["stopped_at"] is None, report
    assert report["left"] == {"heap_blocks": 0, "kho_marks": 0, "leaks": 0}, report
    for lost in ("lost", "astray", "corrupt", "blocked"):
        assert report["dma"][lost] == 0, report
    for update in report["updates"]:
        assert update["mappings"] == 7, update
        assert min(update["dma_before"], update["dma_during"], update["dma_after"]) > 0, update
    return report


def without_times(report):
    for update in report["updates"]:
        del update["blackout_ns"], update["restore_ns"]
    del report["ram_resident_bytes"]
    return report


def one_line_error(args, *words):
    """Bad input: status 2, nothing on stdout, one line on stderr that says what and where."""
    done = run(*args, status=2)
    assert done.stdout == "", done.stdout
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("iommufd-sim: "), done.stderr
    for word in words:
        assert word in done.stderr, f"{done.stderr!r} does not say {word!r}"


def case_4g():
    report = live_update("--guest", guest("4G"))
    assert report["updates"][0]["pages_preserved"] >= 4 << 18, report


def case_4g_exec():
    inside = without_times(live_update("--guest", guest("4G")))
    outside = without_times(live_update("--guest", guest("4G"), "--exec"))
    inside["exec"] = True
    assert inside == outside, "an execve() in the black-out changed what happened"


def case_4g_small_pages():
    live_update("--guest", guest("4G"), "--page-size", "4K", "--devices", "1", "--updates", "1")


def case_64g():
    live_update("--guest", guest("64G"), "--devices", "4")
    live_update("--guest", guest("64G"), "--exec", "--page-size", "1G")


def case_1t():
    live_update("--guest", guest("1T"))
    live_update("--guest", guest("1T"), "--exec", "--updates", "3")


def case_deterministic():
    one = without_times(live_update("--guest", guest("4G"), "--seed", "7"))
    two = without_times(live_update("--guest", guest("4G"), "--seed", "7"))
    assert one == two


def case_inherits():
    """With --exec nothing but the arena crosses: a descriptor of ours is closed before the end."""
    ours, theirs = os.pipe()
    with subprocess.Popen([command, "live-update", "--quiet", "--exec", "--updates", "100",
                           "--guest", guest("4G")], stdout=subprocess.DEVNULL,
                          pass_fds=[theirs]) as process:
        os.close(theirs)
        assert os.read(ours, 1) == b""
        assert process.poll() is None, "the descriptor stayed open until the process ended"
        assert process.wait(300) == 0


def case_posted_v1():
    done = run("live-update", "--json", "--guest", guest("4G"), "--design", "posted-v1", status=1)
    report = json.loads(done.stdout)
    assert report["fine"] is False
    assert report["stopped_at"] == ("update 1 of 2: RETRIEVE_FD of the iommufd: "
                                    "Operation not supported"), report["stopped_at"]
    text = run("live-update", "--guest", guest("4G"), "--design", "posted-v1", status=1).stdout
    assert "stopped    update 1 of 2: RETRIEVE_FD of the iommufd" in text, text


def case_text():
    done = run("live-update", "--guest", guest("4G"), "--updates", "1")
    for word in ("lost 0, astray 0, corrupt 0", "heap blocks 0, KHO marks 0", "reports    none",
                 "black-out", "every update went through"):
        assert word in done.stdout, f"{word!r} is not in\n{done.stdout}"
    assert "update 1 of 1" in done.stderr
    assert run("live-update", "--quiet", "--guest", guest("4G"), "--updates", "1").stderr == ""
    assert "live-update" in run("--help").stdout
    assert re.match(r"iommufd-sim \d", run("--version").stdout)
    assert "--page-size" in run("live-update", "--help").stdout
    one_line_error(["nonsense"], "nonsense")


def case_bad_guest():
    head = 'FlatView #1\n AS "memory", root: system\n Root memory region: system\n'
    ram = "  0000000000000000-000000007fffffff (prio 0, ram): pc.ram\n"
    def region(first, last, what):
        return f"{head}  {first:016x}-{last:016x} (prio 0, {what}\n"

    cases = {
        "hello\n": ("not a flat view",),
        "": ("not a flat view",),
        'FlatView #1\n AS "I/O", root: io\n  0000000000000000-00000000000000ff (prio 0, i/o): io\n':
            ('no flat view of address space "memory"',),
        head: ("has no RAM",),
        region(0, 0x1fff, "ram): a") + "  0000000000001000-0000000000001fff (prio 0, ram): b\n":
            (":5: ", "overlaps", "line 4"),
        region(0, 0xc27ff, "ram): pc.ram"): (":4: ", "not aligned"),
        region(0x800, 0xfff, "rom): pc.bios"): (":4: ", "not aligned"),
        region(0, 0xfff, "ram): r @0000000000000800"): (":4: ", "offset", "not aligned"),
        region(0x2000, 0xfff, "ram): r"): (":4: ", "ends before it starts"),
        region(0, 2**64 - 1, "ram): r"): (":4: ", "beyond the 48-bit addresses"),
        region(0, 0xfff, "ram): r @7ffffffffffff000"): (":4: ", "larger than any file"),
        region(0, 0xfff, "ram)"): (":4: ", "not a region"),
        region(1 << 48, (1 << 48) + 0xfff, "ram): r"): (":4: ", "beyond the 48-bit addresses"),
        region(0xfeeff000, 0xfeefffff, "ram): r"): (":4: ", "covers the interrupt window"),
        region(1 << 40, (1 << 44) + (1 << 40) - 1, "ram): r"): ("16.", "TiB", "more than 16 TiB"),
        head + "  \033[31mred\a \u201c\n": (":4: ", '"\\x1b[31mred\\x07 ""'),
        head + "  000-fff (prio 0, ram): r\n": (":4: ", "not a region"),
        head + ram + head + ram: ("second view",),
        head + ram + "\0": ("NUL",),
    }
    with tempfile.NamedTemporaryFile("w", suffix=".flatview") as file:
        for text, words in cases.items():
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            one_line_error(["live-update", "--guest", file.name], file.name, *words)
    one_line_error(["live-update", "--guest", "/nonexistent"],
                   "sim: /nonexistent: cannot be read: No such file or directory")
    one_line_error(["live-update", "--guest", "/dev"], "/dev: cannot be read: Is a directory")
    one_line_error(["live-update", "--guest", command], "NUL")
    one_line_error(["live-update", "--guest", "/dev/zero"], "/dev/zero", "larger than 16 MiB")
    one_line_error(["live-update", "--guest", "/dev/stdin", "--exec"], "not a regular file")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "two\nlines")
        with open(path, "w", encoding="utf-8") as file:
            file.write("hello\n")
        one_line_error(["live-update", "--guest", path], "two\\x0alines: not a flat view")


def case_bad_options():
    base = ["live-update", "--guest", guest("4G")]
    one_line_error(["live-update"], "--guest")
    one_line_error(base + ["--devices", "65"], "--devices is 65")
    one_line_error(base + ["--devices", "0"], "--devices is 0")
    one_line_error(base + ["--updates", "0"], "--updates is 0")
    one_line_error(base + ["--page-size", "3K"], "3K")
    one_line_error(base + ["--design", "v9"], 'no design "v9"')
    one_line_error(base + ["--memory", "4095M"], "--memory")
    one_line_error(base + ["--memory", "2G"], "larger than the machine's RAM")
    one_line_error(base + ["--memory", "17T"], '--memory is "17T", larger than 16T')
    one_line_error(base + ["--memory", "16E"], "--memory")
    one_line_error(base + ["--dma-bursts", "-1"], "--dma-bursts is -1")
    one_line_error(base + ["--dma-bursts", "1000001"], "--dma-bursts is 1000001")
    one_line_error(base + ["--devices", "x"], '"x" for --devices', "--help")
    one_line_error(base + ["--arena", ""], "--arena is empty")
    one_line_error(base + ["--arena", "/dev/full"], "/dev/full: File exists")
    one_line_error(base + ["--arena", "/nonexistent/arena"], "cannot create arena /nonexistent/")
    one_line_error(["live-update", "--guest", ""], "which guest?")
    one_line_error(["info", ""], "one arena")
    one_line_error(["info", "/dev/null"], "/dev/null: not an arena")
    one_line_error(base + ["extra"], "extra")
    one_line_error(base + ["--nonsense"], "--nonsense")
    one_line_error(["live-update-resume", "--guest", guest("4G")], "not a command for users")


def case_help():
    """Help says what to type, in the C locale too."""
    for name, word in (("live-update", "--guest FILE"), ("info", "ARENA")):
        for option in ("--help", "-h"):
            text = run(name, option).stdout
            assert f"iommufd-sim {name} [OPTION...] {word}" in text, text


def case_streams():
    """Closed and full standard streams: nothing of them ends up in the machine or gets lost."""
    base = f"'{command}' live-update --updates 1 --guest '{guest('4G')}'"
    def shell(text):
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr

    for option in ("", " --exec"):
        status, out, _ = shell(base + option + " 2>&-")
        assert status == 0 and "every update went through" in out, (status, out)
        assert shell(base + option + " --quiet >&-") == (2, "", "iommufd-sim: standard output "
            "cannot be written: Bad file descriptor\n")
        assert shell(base + option + " <&- >&- 2>&-")[0] == 2
    assert shell(base + " --quiet >/dev/full") == (2, "", "iommufd-sim: standard output cannot be "
        "written: No space left on device\n")
    assert shell(f"'{command}' --help >/dev/full")[0] == 2


def case_json():
    """Whatever bytes a file name has, the report is JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(os.fsencode(folder), b'a"\\\n\xff\x01')
        shutil.copy(guest("4G"), path)
        done = subprocess.run([command, "live-update", "-q", "-j", "-u", "1", "-g", path],
                              capture_output=True, check=True, timeout=300)
        name = json.loads(done.stdout.decode("utf-8"))["guest"]
        assert name.endswith('a"\\\n\ufffd\x01'), name


def case_cut_short():
    """A file system that fills up under the arena ends in a line, not in a core file."""
    with tempfile.TemporaryDirectory() as folder:
        arena = os.path.join(folder, "arena")
        with subprocess.Popen([command, "live-update", "-q", "-u", "1000", "--arena", arena,
                               "-g", guest("4G")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            while not os.path.exists(arena) or os.path.getsize(arena) < 1 << 20:
                time.sleep(0.01)
            os.truncate(arena, 4096)
            error = process.communicate(timeout=300)[1]
        assert process.returncode == 2 and error.count("\n") == 1, (process.returncode, error)
        assert error.startswith("iommufd-sim: the arena: its file system is full"), error


def case_arena():
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        arena = os.path.join(folder, "arena")
        run("live-update", "--quiet", "--guest", guest("4G"), "--arena", arena, "--updates", "1")
        text = run("info", arena).stdout
        assert "device     0000:01:00.0" in text and "1 kexec(s)" in text, text
        assert "event log" in text, text
        with open(arena, "r+b") as file:
            size = os.path.getsize(arena)
            file.truncate(size - 4096)
        one_line_error(["info", arena], arena, "truncated")
        with open(arena, "r+b") as file:
            file.truncate(size)
            head = bytearray(file.read(17))
        head[16] ^= 0x40                        # the version stands behind 16 bytes of magic
        with open(arena, "r+b") as file:
            file.write(head)
        one_line_error(["info", arena], arena, "arena of version 65", "knows version 1")
        with open(arena, "r+b") as file:
            file.write(b"not an arena at all")
        one_line_error(["info", arena], arena, "not an arena")
        one_line_error(["info", os.path.join(folder, "nothing")], "cannot be opened")
        one_line_error(["info"], "one arena")


globals()["case_" + case]()
