"""The task mlm: masked language modelling on plain texts."""

from homeground.tasks.mlm.spec import MaskedLMSpec
from homeground.tasks.task import TaskType

MASKED_LM = TaskType(
    MaskedLMSpec.for_table,
    settings=frozenset(
        f"masking.{name}"
        for name in ("mlm_probability", "whole_word", "line_by_line", "extend_vocabulary", "ablate_vocabulary")
    )
    | {"columns.text", "evaluation.mask_draws", "evaluation.pll"},
    needs="texts (--text)",
    reads_texts=True,
)
