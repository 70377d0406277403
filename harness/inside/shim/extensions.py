"""C++ extensions of PyTorch whose sources are CUDA's.

Replaces: the compilation of such an extension, which is left out; one in plain C++ is compiled as
usual. What the extension would have registered must have a stand-in (see `packages`), or the run
ends at the import or the operator's name.
The numbers stay right: nothing is computed here.
Not covered: CUDA sources compiled in the process (`load`, `load_inline`) end the run by name.
"""

from typing import Any

from setuptools import Extension  # type: ignore[import-untyped]
from torch.utils import cpp_extension

from harness.inside.shim.unserved import unserved


class _LeftOut(Extension):  # type: ignore[misc]
    """Declared and not built."""


def install() -> None:
    """Leaves out what needs `nvcc`."""
    module: Any = cpp_extension
    module.CUDAExtension = lambda name, *_, **__: _LeftOut(name, [])
    build: Any = module.BuildExtension
    build.build_extensions = _without_cuda(build.build_extensions)
    for name in ("load", "load_inline"):
        setattr(module, name, _plain_only(name, getattr(module, name)))


def _without_cuda(original: Any) -> Any:
    def build_extensions(self: Any) -> None:
        self.extensions = [one for one in self.extensions if not isinstance(one, _LeftOut)]
        if self.extensions:
            original(self)

    return build_extensions


def _plain_only(name: str, original: Any) -> Any:
    def checked(*arguments: Any, **options: Any) -> Any:
        files = options.get("sources", arguments[1] if len(arguments) > 1 else ())
        listed = [files] if isinstance(files, str) else list(files)
        if options.get("cuda_sources") or any(str(file).endswith(".cu") for file in listed):
            unserved(f"torch.utils.cpp_extension.{name} of CUDA sources")()
        return original(*arguments, **options)

    return checked
