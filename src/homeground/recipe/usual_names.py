"""What other tools call our settings, so that an unknown name gets the right hint."""

from __future__ import annotations

from homeground.errors import nearest

USUAL_NAMES = {
    "batch_size": "bs batch batchsize train_batch_size per_device_train_batch_size b",
    "checkpoint": "model model_name model_name_or_path base_model pretrained pretrained_model base backbone "
    "model_id pretrained_model_name_or_path m weights",
    "class_weights": "class_weight balanced",
    "cross_fit": "folds cv kfold k_fold n_splits cross_validation num_folds",
    "delimiter": "sep separator",
    "dry_run": "dryrun estimate check",
    "epochs": "num_epochs num_train_epochs n_epochs max_epochs e ep train_epochs",
    "evaluation_batch_size": "eval_batch_size per_device_eval_batch_size",
    "fresh": "force overwrite overwrite_output_dir restart no_resume",
    "general": "general_set forgetting",
    "header": "has_header",
    "input": "in infile file input_file",
    "label": "labels target targets y label_column label_col class category",
    "learning_rate": "lr learningrate peak_lr max_lr l learning_rates lrs",
    "lora": "peft lora_r lora_rank use_lora lora_config adapters adapter",
    "loss": "loss_fn loss_function objective criterion",
    "max_grad_norm": "clip gradient_clipping grad_clip clip_norm clipnorm",
    "max_length": "max_len maxlen max_seq_length max_seq_len seq_len sequence_length max_tokens block_size",
    "microbatch_size": "micro_batch_size gradient_accumulation_steps accumulate_grad_batches",
    "mlm_probability": "mask_probability masking_ratio mask_ratio",
    "optimizer": "optim",
    "out": "output_dir out_dir save_dir output_folder output o d",
    "output": "out outfile output_file o save",
    "patience": "early_stopping early_stopping_patience early_stop",
    "precision": "fp16 bf16 dtype amp mixed_precision half",
    "pooling": "pool pooling_mode",
    "schedule": "scheduler lr_scheduler lr_scheduler_type lr_schedule",
    "search": "trials n_trials tune hyperparameter_search sweep",
    "seed": "random_seed random_state",
    "text": "text_column text_col content sentence document review input_column x",
    "text_1": "sentence1 sentence_1 text1 premise",
    "text_2": "sentence2 sentence_2 text2 hypothesis",
    "similarity": "score scores",
    "test": "test_file test_size test_data test_split holdout hold_out",
    "train_size": "train_split",
    "validation": "val dev valid eval validation_file validation_split val_size dev_file eval_file val_split",
    "warmup_ratio": "warmup warmup_steps warm_up num_warmup_steps",
    "weight_decay": "wd decay l2",
}
"""The names that are usual elsewhere, by ours."""


def meant(name: str, known: list[str]) -> str | None:
    """Return which of the known names is meant by one from elsewhere, however that is written.

    >>> meant("--Num-Train-Epochs", ["epochs", "seed"]), meant("x", ["epochs"])
    ('epochs', None)
    """
    plain = name.strip("-").replace("-", "_").lower()
    if plain in known:
        return plain
    return next((ours for ours, usual in USUAL_NAMES.items() if ours in known and plain in usual.split()), None)


def nearest_setting(name: str, known: list[str]) -> str:
    """Return the known names as text, the one that is meant first, for the end of an error message."""
    field = name.rpartition(".")[2]
    ours = meant(field, [each.rpartition(".")[2] for each in known])
    full = next((each for each in known if ours and each.rpartition(".")[2] == ours), None)
    if full is None:
        return nearest(name, known)
    return f'did you mean "{full}"?'
