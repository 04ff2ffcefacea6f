"""Inputs and attributes of ONNX operators that rules need not read, and why: shapes, params and MACs are without them.

What stands neither here nor in a rule makes a node unsupported.
"""

from __future__ import annotations

_NUMERIC = "it changes the numbers, not how many there are"
_HISTORY = "older opsets stored it for the sake of memory or of training"
_WHICH = "which elements are taken or moved; as many in any case"
_QUANTIZED = "scales, zero points and types of quantised numbers are not learned"
_FULL = "masked scores are computed all the same"
_TRAINING = "it matters while training alone"


def _table(*lines: tuple[str, str, str]) -> dict[tuple[str, str], str]:
    """Operators, attributes, reason -> a reason for each pair."""
    return {
        (operator, name): reason
        for operators, names, reason in lines
        for operator in operators.split()
        for name in names.split()
    }


# by name, for every operator
ATTRIBUTES_OF_ALL = {
    "epsilon": _NUMERIC,
    "momentum": _TRAINING,
    "stash_type": "the precision of sums inside",
    "consumed_inputs": _HISTORY,
    "seed": _NUMERIC,
}

ATTRIBUTES = _table(
    (
        "Celu Elu HardSigmoid Selu Swish ThresholdedRelu Gemm LRN LeakyRelu FusedMatMul FusedGemm QGemm "
        "FusedMatMulActivation",
        "alpha",
        _NUMERIC,
    ),
    ("HardSigmoid Gemm FusedGemm LRN", "beta", _NUMERIC),
    ("Selu", "gamma", _NUMERIC),
    ("LRN Shrink", "bias", _NUMERIC),
    ("Shrink", "lambd", _NUMERIC),
    ("Gelu", "approximate", "either form counts as one activation"),
    ("Gemm", "broadcast", "the shape of the bias tells"),
    ("BatchNormalization SpatialBN Dropout", "is_test training_mode", _TRAINING),
    ("BatchNormalization", "spatial", "the shape of the scale tells, and is held against the layer"),
    ("Dropout", "ratio", _TRAINING),
    ("ArgMax ArgMin", "select_last_index", _WHICH),
    ("TopK", "largest sorted", _WHICH),
    ("MaxPool NhwcMaxPool", "storage_order", "how the indices are numbered"),
    ("LpPool GlobalLpPool LpNormalization", "p", _NUMERIC),
    ("LpNormalization", "axis", "every element is scaled, whatever the axis"),
    ("MeanVarianceNormalization", "axes", "every element is scaled, whatever the axes"),
    ("QLinearSoftmax", "opset", "the axis is given"),
    ("QLinearLeakyRelu", "alpha", _NUMERIC),
    ("Conv NhwcFusedConv", "activation_params", _NUMERIC),
    ("AveragePool QLinearAveragePool", "count_include_pad", _NUMERIC),
    ("BitShift", "direction", _NUMERIC),
    ("Mod", "fmod", _NUMERIC),
    ("IsInf", "detect_negative detect_positive", _NUMERIC),
    ("Cast CastLike QuantizeLinear", "saturate round_mode", _NUMERIC),
    ("CumSum CumProd", "exclusive reverse", _NUMERIC),
    ("AffineGrid GridSample", "align_corners", _NUMERIC),
    ("GridSample", "padding_mode", _NUMERIC),
    ("Col2Im", "dilations pads strides", "the size of the image is an input, and every element is added once"),
    ("DeformConv", "offset_group", "the picking is not counted"),
    ("DepthToSpace SpaceToDepth", "mode", _WHICH),
    ("QuantizeLinear DequantizeLinear", "axis block_size output_dtype precision", _QUANTIZED),
    ("RandomNormal", "mean scale", _NUMERIC),
    ("RandomUniform", "low high", _NUMERIC),
    ("GatherElements Scatter ScatterElements", "axis", _WHICH),
    ("ScatterElements ScatterND", "reduction", "the elements are moved; few are combined"),
    ("ReverseSequence", "batch_axis time_axis", _WHICH),
    ("Trilu", "upper", _WHICH),
    ("DFT", "inverse", "as many operations in either direction"),
    ("HannWindow HammingWindow BlackmanWindow", "periodic output_datatype", _NUMERIC),
    ("MelWeightMatrix", "output_datatype", _NUMERIC),
    ("If", "then_branch else_branch", "one branch runs"),
    ("SequenceEmpty", "dtype", "of values that are given, the type is known"),
    ("Optional", "type", "of a value that is given, the type is known"),
    ("Scan", "directions scan_output_directions", _WHICH),
    ("Pad", "value", _NUMERIC),
    ("MaxRoiPool RoiAlign", "spatial_scale", _NUMERIC),
    ("RoiAlign", "coordinate_transformation_mode mode sampling_ratio", "the work has no figure, the shape is without"),
    ("RotaryEmbedding", "interleaved num_heads rotary_embedding_dim scale is_packed_batching", _WHICH),
    (
        "Attention QAttention MultiHeadAttention GroupQueryAttention",
        "scale softcap softmax_precision mask_filter_value",
        _NUMERIC,
    ),
    ("Attention QAttention MultiHeadAttention", "is_causal unidirectional left_window_size right_window_size", _FULL),
    ("Attention QAttention MultiHeadAttention", "past_present_share_buffer", "where results are stored"),
    ("GroupQueryAttention", "local_window_size smooth_softmax", _FULL),
    ("GroupQueryAttention", "rotary_interleaved", _WHICH),
    ("EmbedLayerNormalization", "mask_index_type", "how lengths are written"),
    (
        "Resize Upsample",
        "antialias cubic_coeff_a exclude_outside extrapolation_value nearest_mode coordinate_transformation_mode",
        _NUMERIC,
    ),
    ("MatMulNBits", "accuracy_level weight_prepacked", _NUMERIC),
    ("MatMulBnb4", "quant_type training_mode transB", "how the weights are packed: K and N say what they unpack to"),
    ("BiasSoftmax", "is_inner_broadcast", "the shape of the bias tells"),
    ("RandomNormalLike RandomUniformLike", "dtype mean scale low high", _NUMERIC),
    ("Scaler", "offset scale", "measured, not learned"),
    ("Normalizer", "norm", _NUMERIC),
    ("Imputer", "imputed_value_floats imputed_value_int64s replaced_value_float replaced_value_int64", _NUMERIC),
    ("Binarizer", "threshold", _NUMERIC),
    ("ZipMap", "classlabels_int64s classlabels_strings", "names of the classes"),
    ("CastMap", "cast_to map_form max_map", _NUMERIC),
    ("LinearClassifier", "multi_class", _NUMERIC),
    ("LinearRegressor", "post_transform", _NUMERIC),
    ("LSTM GRU RNN DynamicQuantizeLSTM", "activation_alpha activation_beta clip", _NUMERIC),
    ("LSTM GRU RNN DynamicQuantizeLSTM", "activations", "each counts as one nonlinearity"),
    ("LSTM DynamicQuantizeLSTM", "input_forget", _NUMERIC),
    ("GRU", "linear_before_reset", "the same products in another order"),
    ("LSTM GRU RNN", "output_sequence", _HISTORY),
    (
        "FusedConv FusedGemm FusedMatMulActivation",
        "activation_params activation_alpha activation_beta activation_gamma",
        _NUMERIC,
    ),
)

INPUTS = _table(
    ("BatchNormalization SpatialBN", "3 4", "the running mean and variance are no parameters: buffers has them"),
    ("Dropout", "1 2", _TRAINING),
    ("OneHot", "2", _NUMERIC),
    ("Pad", "2", _NUMERIC),
    ("RotaryEmbedding", "1 2 3", "tables of angles and the positions in them: values that are not learned"),
    ("MaxUnpool", "1", "where the elements go"),
    ("RoiAlign", "2", "which image each region is of"),
    ("QuantizeLinear DequantizeLinear", "1 2", _QUANTIZED),
    ("QLinearConv", "1 2 4 5 6 7", _QUANTIZED),
    ("QLinearMatMul", "1 2 4 5 6 7", _QUANTIZED),
    ("QLinearAdd QLinearMul", "1 2 4 5 6 7", _QUANTIZED),
    ("QLinearSigmoid QLinearLeakyRelu QLinearSoftmax", "1 2 3 4", _QUANTIZED),
    ("QLinearAveragePool QLinearGlobalAveragePool", "1 2 3 4", _QUANTIZED),
    ("QLinearConcat", " ".join(str(at) for at in range(300) if at < 2 or at % 3 != 2), _QUANTIZED),
    ("QGemm", "1 2 4 5 7 8", _QUANTIZED),
    ("DynamicQuantizeMatMul", "2 3", _QUANTIZED),
    ("MatMulIntegerToFloat", "2 3 4 5", _QUANTIZED),
    ("MatMulNBits MatMulBnb4", "2 3 4", _QUANTIZED),
    ("QAttention", "3 4 6 7", _QUANTIZED),
    ("DynamicQuantizeLSTM", "8 9 10 11", _QUANTIZED),
    ("QLinearWhere", "2 3 5 6 7 8", _QUANTIZED),
    ("QLinearReduceMean", "1 2 3 4", _QUANTIZED),
    ("BiasDropout", "3 4", _TRAINING),
    ("ConvInteger MatMulInteger", "2 3", _QUANTIZED),
    ("LSTM GRU RNN DynamicQuantizeLSTM", "4", "the lengths of the sequences: the longest is the figure"),
    ("Attention", "6", _FULL),
    ("MultiHeadAttention", "8 9", "where in a shared buffer earlier steps are"),
    ("GroupQueryAttention", "5 6", "the lengths of the sequences: the longest is the figure"),
    ("GroupQueryAttention", "7 8 9", "tables of angles and the positions in them: values that are not learned"),
)
