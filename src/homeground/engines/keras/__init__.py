"""The Keras engine, on TensorFlow; the only room that imports either.

An encoder of BERT's kind over the tensors of the Hub, named and laid out as they are there, so that what it saves is
what the torch engine saves. Universal Sentence Encoder and its relatives, which are programs, are in ``saved_model``.
"""

from homeground.engines.keras.loading import open_model, require_supported
from homeground.engines.keras.merging import merge
from homeground.engines.keras.precision import describe_hardware
from homeground.engines.keras_installation import versions

__all__ = ["describe_hardware", "merge", "open_model", "require_supported", "versions"]
