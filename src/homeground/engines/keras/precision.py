"""Which arithmetic training uses, and on what; measuring is always float32."""

from __future__ import annotations

import os
from pathlib import Path

from homeground.engines.keras.framework import tf

BFLOAT16_FLAGS = frozenset(("avx512_bf16", "amx_bf16"))
"""What the processor says, under Linux, if it multiplies bfloat16 itself."""


def computes_bf16() -> bool:
    """Return whether the hardware multiplies bfloat16 matrices itself instead of imitating them."""
    if tf.config.list_physical_devices("GPU"):
        return True
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not BFLOAT16_FLAGS.isdisjoint(flags.split())


def choose_precision(setting: str) -> str:
    """Return "bf16" or "fp32" for the setting of the recipe, "auto" by the hardware."""
    if setting == "auto":
        return "bf16" if computes_bf16() else "fp32"
    return setting


def describe_device() -> dict[str, str]:
    """Return device and threads; TensorFlow takes all cores where nothing else is set."""
    graphics = tf.config.list_physical_devices("GPU")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    return {"device": "gpu" if graphics else "cpu", "threads": str(threads)}


def describe_hardware() -> dict[str, str]:
    """Return device, threads and whether bf16 is computed by the hardware."""
    bf16 = "computed by the hardware, used for training" if computes_bf16() else "not computed; fp32 is used"
    return {**describe_device(), "bf16": bf16}
