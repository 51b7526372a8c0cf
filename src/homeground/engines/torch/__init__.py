"""The PyTorch engine; the only room that imports torch and transformers."""

import os

# Threads that wait for each other sleep. By default they spin, and where another program needs a core they then spin
# for as long as that program has it: a step took five to eight times as long. Read as torch is loaded, just below.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A process that cannot connect says so in a line of its own, not in stack traces of C++.
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")

from homeground.engines.torch.loading import open_model, require_supported, versions
from homeground.engines.torch.merging import merge
from homeground.engines.torch.precision import describe_hardware
from homeground.engines.torch.processes import lead

__all__ = ["describe_hardware", "lead", "merge", "open_model", "require_supported", "versions"]
