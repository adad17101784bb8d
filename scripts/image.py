#!/usr/bin/env python3
"""Writes a container image from files of this machine, without any tool for images: an OCI archive of one layer.

    scripts/image.py --name localhost/x:dev --output x.tar --entrypoint /x target/release/x:/x [SOURCE:TARGET ...]

SOURCE is a file, a folder (with everything below) or a link, which stays one. What is a dynamic program or library
brings along the libraries that ldd names and their loader. The same files give the same bytes: no times, no owners.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

TYPE = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def libraries(program):
    """Paths of the libraries that a dynamic program or library needs, and of its loader."""
    with open(program, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return []
    said = subprocess.run(["ldd", program], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if "not found" in said.stdout:
        sys.exit(f"image: {program} needs libraries that this machine lacks:\n{said.stdout}")
    # A static program: ldd fails, and names nothing.
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said.stdout, re.MULTILINE)


def collect(sources):
    """What the image holds: path without the leading slash -> path here."""
    files = {}
    for source, target in sources:
        below = sorted(Path(source).rglob("*")) if Path(source).is_dir() and not Path(source).is_symlink() else []
        for path in [Path(source), *below]:
            relative = path.relative_to(source)
            files[str(Path(target.lstrip("/")) / relative)] = path
    for path in list(files.values()):
        if path.is_file() and not path.is_symlink():
            for library in libraries(path):
                files.setdefault(library.lstrip("/"), Path(library).resolve())
    return files


def entry(name, mode, kind=tarfile.REGTYPE, size=0, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, size, link
    return info


def layer(files, folders):
    """The tar archive of the image's files; every folder above them is there too."""
    entries = {}
    for name in [*files, *folders]:
        for parent in list(Path(name).parents)[:-1]:
            entries.setdefault(str(parent), None)
    modes = {name: int(mode, 8) for name, mode in folders.items()}
    entries.update({name: None for name in folders})
    entries.update(files)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in sorted(entries.items()):
            if path is None or (path.is_dir() and not path.is_symlink()):
                tar.addfile(entry(name, modes.get(name, 0o755), tarfile.DIRTYPE))
            elif path.is_symlink():
                tar.addfile(entry(name, 0o777, tarfile.SYMTYPE, link=os.readlink(path)))
            else:
                mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
                with open(path, "rb") as file:
                    tar.addfile(entry(name, mode, size=path.stat().st_size), file)
    return out.getvalue()


def archive(output, name, blobs, manifest):
    index = {
        "schemaVersion": 2,
        "manifests": [{
            **manifest,
            "annotations": {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            },
        }],
    }
    members = {f"blobs/sha256/{digest}": data for digest, data in blobs.items()}
    members["index.json"] = json.dumps(index).encode()
    members["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    # Beside and renamed: a reader never sees half of it.
    part = f"{output}.part"
    with tarfile.open(part, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member, data in sorted(members.items()):
            tar.addfile(entry(member, 0o644, size=len(data)), io.BytesIO(data))
    os.rename(part, output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--name", required=True, help="name and tag")
    parser.add_argument("--output", required=True)
    parser.add_argument("--entrypoint", action="append", default=[], help="a word of it; may be repeated")
    parser.add_argument("--user", default="", help="uid:gid; default: root")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--folder", action="append", default=[], metavar="PATH:MODE", help="an empty folder")
    parser.add_argument("files", nargs="*", metavar="SOURCE:TARGET")
    args = parser.parse_args()

    files = collect([file.split(":", 1) for file in args.files])
    folders = {path.lstrip("/"): mode for path, mode in (folder.split(":", 1) for folder in args.folder)}
    blobs = {}

    def blob(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"{TYPE}.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    content = blob("layer.v1.tar", layer(files, folders))
    settings = {"Entrypoint": args.entrypoint, "User": args.user, "Env": args.env}
    config = blob("config.v1+json", json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {key: value for key, value in settings.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [content["digest"]]},
    }).encode())
    manifest = blob("manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": f"{TYPE}.manifest.v1+json", "config": config, "layers": [content],
    }).encode())
    archive(args.output, args.name, blobs, manifest)


if __name__ == "__main__":
    main()
