"""The engines of exported models: OpenVINO and ONNX Runtime; neither torch nor transformers is imported.

What one offers is the half of a model that predicts. The library of a format is imported when a model of it is opened.
"""

from __future__ import annotations

from homeground.engines.exported.model import open_model
from homeground.engines.exported.sessions import describe_hardware, versions

__all__ = ["describe_hardware", "open_model", "versions"]
