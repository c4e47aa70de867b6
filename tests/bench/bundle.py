"""Makes the OCI bundle of the benchmark: bundle.py CONFIG ROOTFS ARG…

What docker gives a container, without a terminal: the default filter of containers-common if it is
installed (else a note), for this machine's architectures.
"""
import json
import os
import platform
import sys

FILTER = "/usr/share/containers/seccomp.json"
ARCHES = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}


def docker_filter():
    short, native = ARCHES[platform.machine()]
    with open(FILTER, encoding="utf-8") as f:
        source = json.load(f)
    arches = [native]
    for entry in source.get("archMap", []):
        if entry["architecture"] == native:
            arches += entry.get("subArchitectures") or []
    rules = []
    for rule in source["syscalls"]:
        wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
        if wanted.get("caps") or short in (unwanted.get("arches") or []):
            continue
        if wanted.get("arches") and short not in wanted["arches"]:
            continue
        kept = {"names": rule["names"], "action": rule["action"]}
        if rule.get("args"):
            kept["args"] = rule["args"]
        if rule.get("errnoRet") is not None:
            kept["errnoRet"] = rule["errnoRet"]
        rules.append(kept)
    return {"defaultAction": source["defaultAction"], "architectures": arches, "syscalls": rules}


def main():
    path, rootfs, args = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config["process"]["terminal"] = False
    config["process"]["args"] = args
    config["process"]["noNewPrivileges"] = True
    config["process"].pop("rlimits", None)
    config["root"] = {"path": rootfs, "readonly": True}
    if os.path.exists(FILTER) and platform.machine() in ARCHES:
        config["linux"]["seccomp"] = docker_filter()
    else:
        print("note: crun runs without a filter: " + FILTER + " is not installed", file=sys.stderr)
    if os.geteuid() == 0:
        config["linux"]["cgroupsPath"] = "/cofferdam-bench-crun"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)


main()
