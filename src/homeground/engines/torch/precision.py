"""Which arithmetic training uses; measuring is always float32."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch


def choose_device() -> torch.device:
    """Return the first CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computes_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16 matrices itself instead of imitating them."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def choose_precision(setting: str, device: torch.device) -> str:
    """Return "bf16" or "fp32" for the setting of the recipe, "auto" by the hardware."""
    if setting == "auto":
        return "bf16" if computes_bf16(device) else "fp32"
    return setting


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which the forward pass of training runs."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def describe_hardware() -> dict[str, str]:
    """Return device, threads and whether bf16 is computed by the hardware."""
    device = choose_device()
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": str(torch.get_num_threads()),
        "bf16": "computed by the hardware, used for training"
        if computes_bf16(device)
        else "not computed; fp32 is used",
    }
