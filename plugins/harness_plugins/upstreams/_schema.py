"""What a checkpoint's JSON files may say: every field that is understood, by family.

A field either moves the numbers, and then has a rule here, or is passed over by name. A
field that is neither is refused, so that nothing of a file is used unseen and nothing
that it asks for is left out in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_plugins.upstreams._rules import (
    REQUIRED,
    Rule,
    each,
    one_of,
    or_none,
    real,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness_plugins.upstreams._rules import Fields

# Several times what the largest published speech models have: 48 layers of 1 920 dims.
LAYERS = whole(1, 200)
WIDTH = whole(1, 16_384)
INNER = whole(1, 65_536)
HEADS = whole(1, 256)
EPSILON = real(1e-12, 0.1)
SPREAD = real(0, 1).by_default(0.02)  # of weights that are drawn at random
FLAG = one_of(False, True)
ACTIVATION = one_of(
    *("gelu", "gelu_new", "gelu_fast", "quick_gelu", "relu", "silu", "swish", "mish"),
    "tanh",
)
"""Of transformers' activations those that have no settings of their own."""

# ---------------------------------------------------------------- config.json

TRANSFORMER = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "hidden_act": ACTIVATION,
    "layer_norm_eps": EPSILON,
    "initializer_range": SPREAD,
}
CONVOLUTIONS = {
    "conv_dim": each(WIDTH),
    "conv_kernel": each(whole(1, 4096)),
    "conv_stride": each(whole(1, 4096)),
    "conv_bias": FLAG,
    "feat_extract_activation": ACTIVATION,
    "num_conv_pos_embeddings": whole(1, 4096),
    "num_conv_pos_embedding_groups": whole(1, 16_384),
}
NORMS = {"feat_extract_norm": one_of("group", "layer"), "do_stable_layer_norm": FLAG}
ADAPTED = {"adapter_attn_dim": or_none(WIDTH)}

PASSED_OVER = (
    # who made it, and with what
    *("_name_or_path", "_commit_hash", "architectures", "transformers_version"),
    *("finetuning_task", "task_specific_params", "problem_type", "tokenizer_class"),
    # how weights are stored and which attention computes: float32 and our own, always
    *("dtype", "torch_dtype", "use_bfloat16", "torchscript", "gradient_checkpointing"),
    *("*attn_implementation*", "chunk_size_feed_forward", "use_cache"),
    # training: dropout, masking, losses
    *("*dropout*", "*layerdrop*", "mask_*", "no_mask_*", "apply_spec_augment"),
    *("freeze_feat_extract_train", "ctc_*", "diversity_loss_weight", "replace_prob"),
    *("num_negatives", "contrastive_logits_temperature", "num_codevector*"),
    *("codevector_dim", "proj_codevector_dim", "feature_grad_mult"),
    # what stands behind the encoder: heads, adapters, a decoder, its generation
    *("vocab_size", "*_token_id", "id2label", "label2id", "num_labels", "pooling_mode"),
    *("use_weighted_layer_sum", "classifier_proj_size", "num_ctc_classes", "tdnn_*"),
    *("xvector_output_dim", "output_hidden_size", "add_adapter", "adapter_kernel_size"),
    *("adapter_stride", "adapter_act", "num_adapter_layers", "tie_*", "decoder_*"),
    *("use_intermediate_ffn_before_adapter", "is_encoder_decoder", "is_decoder"),
    *("add_cross_attention", "cross_attention_hidden_size", "max_target_positions"),
    *("median_filter_width", "output_attentions", "output_hidden_states"),
    *("output_scores", "return_dict*", "suppress_tokens", "begin_suppress_tokens"),
    *("forced_*", "bad_words_ids", "max_length", "min_length", "do_sample"),
    *("early_stopping", "*num_beam*", "temperature", "top_k", "top_p", "typical_p"),
    *("*_penalty", "*no_repeat_ngram_size", "num_return_sequences", "prefix"),
    *("remove_invalid_values", "tf_legacy_loss", "language", "task"),
)
"""Fields of ``config.json`` that change nothing of an encoder in evaluation mode."""

# ---------------------------------------------------------------- the front end's files

SETTINGS_PASSED_OVER = (
    *("processor_class", "_processor_class", "tokenizer_class", "_name_or_path"),
    *("transformers_version", "return_attention_mask", "padding_side"),
    *("n_samples", "nb_max_frames"),  # follow from Whisper's chunk_length
)
"""Fields of the front end that change nothing of a clip alone."""

PROCESSOR_PASSED_OVER = ("processor_class", "tokenizer", "transformers_version")
"""Fields of ``processor_config.json`` beside the front end's."""

WAVEFORM = {
    "do_normalize": FLAG,
    "sampling_rate": whole(2_000, 192_000),
    "feature_size": one_of(1).by_default(1),
    "padding_value": real(-1e9, 1e9).by_default(0.0),
    "feature_extractor_type": or_none(one_of("Wav2Vec2FeatureExtractor")),
}
FBANK = {
    "sampling_rate": one_of(16_000).by_default(16_000),
    "num_mel_bins": whole(1, 256).by_default(80),
    "feature_size": whole(1, 256).by_default(80),
    "stride": one_of(2).by_default(2),
    "padding_value": real(-1e9, 1e9).by_default(0.0),
    "feature_extractor_type": or_none(one_of("SeamlessM4TFeatureExtractor")),
}
LOG_MEL = {
    "sampling_rate": one_of(16_000).by_default(16_000),
    "feature_size": or_none(whole(1, 512)),
    "hop_length": one_of(160).by_default(160),
    "n_fft": one_of(400).by_default(400),
    "chunk_length": or_none(whole(1, 3600)),
    "padding_value": one_of(0.0, 0).by_default(0.0),
    "padding_side": one_of("right").by_default("right"),
    "dither": one_of(0.0, 0).by_default(0.0),
    "do_normalize": one_of(False).by_default(False),
    "mel_filters": Rule(
        says="a list", holds=lambda value: isinstance(value, list), default=None
    ),
    "feature_extractor_type": or_none(one_of("WhisperFeatureExtractor")),
}

# ---------------------------------------------------------------- families


@dataclass(frozen=True, kw_only=True)
class Family:
    """Models of one architecture.

    Attributes:
        model: Its class in ``transformers.models``.
        config: Rules of ``config.json``.
        settings: Rules of what the front end's files say.
        contradictions: Yields, in words, what does not fit together.
        one_front_end: Whether ``config.json`` alone says all of the front end; of the
            others some normalise their input, and no other file says which.
        repeated: Fields that only repeat others, and are no arguments of its class.
    """

    model: str
    config: Mapping[str, Rule]
    settings: Mapping[str, Rule]
    contradictions: Callable[[Fields, Fields], Iterator[str]]
    one_front_end: bool = False
    repeated: tuple[str, ...] = ()


def receptive_field(config: Fields) -> int:
    """Count the samples that the first frame of the convolutions sees."""
    field = 1
    pairs = zip(config["conv_kernel"], config["conv_stride"], strict=True)
    for kernel, stride in reversed(list(pairs)):
        field = (field - 1) * stride + kernel
    return field


def _shared(config: Fields, width: str, *counts: str) -> Iterator[str]:
    for count in counts:
        if config[width] % config[count]:
            yield (
                f"has a {width} of {config[width]}, which its {count} of "
                f"{config[count]} cannot divide"
            )


def _convolutional(config: Fields, settings: Fields) -> Iterator[str]:
    """Compare the fields of a model that begins with convolutions on the waveform."""
    lengths = [len(config[f"conv_{name}"]) for name in ("dim", "kernel", "stride")]
    if len(set(lengths)) > 1:
        yield (
            "has lists of {} conv_dim, {} conv_kernel and {} conv_stride, which must "
            "be as long as each other".format(*lengths)
        )
    elif config["num_feat_extract_layers"] not in (None, lengths[0]):
        yield (
            f"has {lengths[0]} convolutions and says "
            f"{config['num_feat_extract_layers']} for 'num_feat_extract_layers'"
        )
    elif receptive_field(config) > LONGEST * settings.get("sampling_rate", 16_000):
        yield f"has convolutions whose first frame sees more than {LONGEST} s"
    yield from _shared(
        config, "hidden_size", "num_attention_heads", "num_conv_pos_embedding_groups"
    )


LONGEST = 10
"""Seconds that a frame may see: no utterance would be long enough for more."""


def _wavlm(config: Fields, settings: Fields) -> Iterator[str]:
    """Compare a WavLM's fields; a quarter of its buckets are exact distances."""
    yield from _convolutional(config, settings)
    if config["max_bucket_distance"] <= config["num_buckets"] // 4:
        yield "has a max_bucket_distance within its exact buckets"


def _conformer(config: Fields, settings: Fields) -> Iterator[str]:
    """Compare a wav2vec2-BERT's fields."""
    yield from _shared(config, "hidden_size", "num_attention_heads")
    size = config["hidden_size"] // config["num_attention_heads"]
    positions = config["position_embeddings_type"]
    if (positions == "rotary" and size % 2) or (
        positions == "relative" and config["hidden_size"] % 2
    ):
        yield f"has {positions} positions in an odd number of dims"
    if config["conv_depthwise_kernel_size"] % 2 == 0:
        yield "has an even conv_depthwise_kernel_size"
    bins = settings.get("num_mel_bins", 80)
    if settings.get("feature_size", bins) != bins:
        yield f"has {bins} num_mel_bins and {settings['feature_size']} feature_size"
    if config["feature_projection_input_dim"] != 2 * bins:
        yield (
            f"projects {config['feature_projection_input_dim']} inputs, where pairs "
            f"of frames of {bins} mel bins are due"
        )


def _whisper(config: Fields, settings: Fields) -> Iterator[str]:
    """Compare a Whisper's fields."""
    yield from _shared(config, "d_model", "encoder_attention_heads")
    if config["d_model"] % 2:
        yield "has an odd d_model, which its sines and cosines cannot share"
    layers, bins = config["encoder_layers"], config["num_mel_bins"]
    if config["num_hidden_layers"] not in (None, layers):
        yield (
            f"has {layers} encoder_layers and says {config['num_hidden_layers']} for "
            "'num_hidden_layers'"
        )
    if settings.get("feature_size") not in (None, bins):
        yield (
            f"reads {bins} mel bins (num_mel_bins) and is given "
            f"{settings['feature_size']} (feature_size)"
        )
    window, seconds = config["max_source_positions"], settings.get("chunk_length")
    if seconds is not None and seconds * 50 != window:
        yield (
            f"reads windows of {window} frames of 20 ms (max_source_positions) and is "
            f"given {seconds} s (chunk_length)"
        )


COUNTED = ("num_feat_extract_layers",)
LIKE_WAV2VEC2 = (
    TRANSFORMER | CONVOLUTIONS | dict.fromkeys(COUNTED, or_none(whole(1, 16)))
)

FAMILIES = {
    "data2vec-audio": Family(
        model="data2vec.modeling_data2vec_audio:Data2VecAudioModel",
        config=LIKE_WAV2VEC2
        | {
            "num_conv_pos_embeddings": whole(1, 64),
            "conv_pos_kernel_size": whole(1, 4096),
            "feat_extract_norm": one_of("layer").by_default("layer"),
            "do_stable_layer_norm": one_of(False).by_default(False),
        },
        settings=WAVEFORM,
        contradictions=_convolutional,
        repeated=(*COUNTED, "feat_extract_norm", "do_stable_layer_norm"),
    ),
    "hubert": Family(
        model="hubert.modeling_hubert:HubertModel",
        config=LIKE_WAV2VEC2
        | NORMS
        | ADAPTED
        | {
            "feat_proj_layer_norm": FLAG.by_default(True),
            "conv_pos_batch_norm": FLAG.by_default(False),
        },
        settings=WAVEFORM,
        contradictions=_convolutional,
        repeated=COUNTED,
    ),
    "wav2vec2": Family(
        model="wav2vec2.modeling_wav2vec2:Wav2Vec2Model",
        config=LIKE_WAV2VEC2 | NORMS | ADAPTED,
        settings=WAVEFORM,
        contradictions=_convolutional,
        repeated=COUNTED,
    ),
    "wav2vec2-bert": Family(
        model="wav2vec2_bert.modeling_wav2vec2_bert:Wav2Vec2BertModel",
        config=TRANSFORMER
        | {
            "feature_projection_input_dim": whole(1, 1024),
            "position_embeddings_type": or_none(
                one_of("relative", "relative_key", "rotary")
            ).by_default(REQUIRED),
            "rotary_embedding_base": whole(1, 10**9).by_default(10_000),
            "max_source_positions": whole(1, 32_768).by_default(5000),
            "left_max_position_embeddings": whole(0, 4096),
            "right_max_position_embeddings": whole(0, 4096),
            "conv_depthwise_kernel_size": whole(1, 4096),
        },
        settings=FBANK,
        contradictions=_conformer,
        one_front_end=True,
    ),
    "wavlm": Family(
        model="wavlm.modeling_wavlm:WavLMModel",
        config=LIKE_WAV2VEC2
        | NORMS
        | {"num_buckets": whole(4, 65_536), "max_bucket_distance": whole(2, 1_000_000)},
        settings=WAVEFORM,
        contradictions=_wavlm,
        repeated=COUNTED,
    ),
    "whisper": Family(
        model="whisper.modeling_whisper:WhisperEncoder",
        config={
            "d_model": WIDTH,
            "encoder_layers": LAYERS,
            "encoder_attention_heads": HEADS,
            "encoder_ffn_dim": INNER,
            "num_mel_bins": whole(1, 512),
            "max_source_positions": whole(8, 100_000),
            "activation_function": ACTIVATION,
            "scale_embedding": one_of(False).by_default(False),
            "num_hidden_layers": or_none(LAYERS),
            "init_std": SPREAD,
        },
        settings=LOG_MEL,
        contradictions=_whisper,
        one_front_end=True,
        repeated=("num_hidden_layers",),
    ),
}
