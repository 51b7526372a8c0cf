"""Trained models written as graphs for other runtimes, by the exporters of transformers."""

from homeground.engines.torch.exporting.exporter import export_model, require_exporters

__all__ = ["export_model", "require_exporters"]
