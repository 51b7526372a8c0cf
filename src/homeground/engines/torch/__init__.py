"""The PyTorch engine; the only room that imports torch and transformers."""

import os

from homeground.engines.torch import waiting
from homeground.processes.children import usable_cores

os.environ.update(waiting.variables(usable_cores()))

# A process that cannot connect says so in a line of its own, not in stack traces of C++.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")

from homeground.engines.torch.loading import open_model, require_supported, versions
from homeground.engines.torch.merging import merge
from homeground.engines.torch.precision import describe_hardware
from homeground.engines.torch.processes import lead

__all__ = ["describe_hardware", "lead", "merge", "open_model", "require_supported", "versions"]
