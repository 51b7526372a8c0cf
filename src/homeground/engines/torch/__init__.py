"""The PyTorch engine; the only room that imports torch and transformers."""

from homeground.engines.torch.loading import open_model, require_supported, versions
from homeground.engines.torch.merging import merge
from homeground.engines.torch.precision import describe_hardware
from homeground.engines.torch.processes import lead

__all__ = ["describe_hardware", "lead", "merge", "open_model", "require_supported", "versions"]
