"""Compile the kernels of the CPU path: as a command, and as a build hook of hatchling.

    python build_kernels.py libs/survivalGPU.so

The sources are the R package's (``../src``; a source distribution carries them in
``kernels``). Where there is no C compiler, wheels are built without: the package then
computes the same numbers in PyTorch, more slowly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = {"win32": "survivalGPU.dll", "darwin": "survivalGPU.dylib"}.get(
    sys.platform, "survivalGPU.so"
)


def sources() -> list[Path]:
    """The kernels, without what only R needs: registration and ``.Call`` routines."""
    for folder in (HERE.parent / "src", HERE / "kernels"):
        found = sorted(folder.glob("*.c"))
        if found:
            return [f for f in found if f.name != "init.c" and not f.name.startswith("r_")]
    return []


def compiler() -> list[str] | None:
    """The C compiler's command, None where there is none."""
    wanted = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    for command in (wanted.split(), ["cc"], ["gcc"], ["clang"]):
        if shutil.which(command[0]):
            return command
    return None


def compile_kernels(library: Path) -> bool:
    """Compile the kernels into ``library``; False without sources or compiler."""
    command = compiler()
    if command is None or not sources():
        return False
    library.parent.mkdir(parents=True, exist_ok=True)
    options = ["-O2", "-fPIC", "-shared", "-pthread"]
    files = [str(f) for f in sources()]
    subprocess.run([*command, *options, "-o", str(library), *files, "-lm"], check=True)
    return True


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:
    pass
else:

    class KernelsHook(BuildHookInterface):
        """Puts the compiled kernels into a wheel, which then belongs to one platform."""

        def initialize(self, version, build_data):
            """Compile, and add the library to what the wheel is made of."""
            library = HERE / "libs" / LIBRARY
            try:
                compiled = compile_kernels(library)
            except (OSError, subprocess.CalledProcessError) as error:
                self.app.display_warning(f"the kernels do not compile: {error}")
                compiled = False
            if compiled:
                build_data["force_include"][str(library)] = f"survivalgpu/libs/{LIBRARY}"
                build_data["pure_python"] = False
                build_data["tag"] = f"py3-none-{_platform_tag()}"

    def _platform_tag() -> str:
        return sysconfig.get_platform().replace("-", "_").replace(".", "_")


if __name__ == "__main__":
    if not compile_kernels(Path(sys.argv[1])):
        sys.exit("there is no C compiler, or there are no sources")
