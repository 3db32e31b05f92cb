"""The facts that are known about the Edge TPU compiler: operators, versions, its messages, memory.

Sources, by the letter beside each fact:
  (D) Coral's list of supported operations, coral.ai/docs/edgetpu/models-intro, for runtime 14, compiler 16.
  (P) Pairs of a model and its compiled twin that Coral publishes (google-coral/test_data at 104342d), compared
      operator by operator. The only source that shows versions.
  (L) What the compiler printed for its users: the logs and reports in google-coral/edgetpu's issues, by number.
  (T) TensorFlow's registry of kernels, tensorflow/lite/kernels/register.cc, as of 2022.
"""

# The compiler's messages for an operator (L; all of them occur in recorded logs)
MAPPED = "Mapped to Edge TPU"
NOT_SUPPORTED = "Operation not supported"
WRONG_VERSION = "Operation version not supported"
WRONG_TYPE = "Operation is working on an unsupported data type"
WRONG_RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
LIMITATION = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
ONE_SUBGRAPH = "More than one subgraph is not supported"
# ... and for a whole model
NOT_QUANTIZED = "Model not quantized"
NOT_STATIC = (
    "Attempting to use a delegate that only supports static-sized tensors with a graph that has dynamic-sized tensors"
)

# (D) The supported operators. The versions are those of their 8-bit kernels in TensorFlow 2.5, from which the compiler
# was built in 2021: 1 for uint8, the next for int8, and those that need no more than that.
SUPPORTED: dict[str, tuple[int, ...]] = {
    "ADD": (1, 2),
    "AVERAGE_POOL_2D": (1, 2),
    "CONCATENATION": (1, 2),
    "CONV_2D": (1, 2, 3),
    "DEPTHWISE_CONV_2D": (1, 2, 3),
    "EXPAND_DIMS": (1,),
    "FULLY_CONNECTED": (1, 2, 3, 4),
    "L2_NORMALIZATION": (1, 2),
    "LOGISTIC": (1, 2),
    "MAXIMUM": (1, 2),
    "MAX_POOL_2D": (1, 2),
    "MEAN": (1, 2),
    "MINIMUM": (1, 2),
    "MUL": (1, 2, 3),
    "PACK": (1, 2),
    "PAD": (1, 2),
    "PRELU": (1,),
    "QUANTIZE": (1,),
    "REDUCE_MAX": (1, 2),
    "REDUCE_MIN": (1, 2),
    "RELU": (1, 2),
    "RELU6": (1, 2),
    "RELU_N1_TO_1": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1, 2, 3),
    "RESIZE_NEAREST_NEIGHBOR": (1, 2),  # 3 is reported as refused
    "RSQRT": (1, 2),
    "SLICE": (1, 2),
    "SOFTMAX": (1, 2),
    "SPACE_TO_DEPTH": (1, 2),
    "SPLIT": (1, 2),
    "SQUARED_DIFFERENCE": (1, 2),
    "SQUEEZE": (1,),
    "STRIDED_SLICE": (1, 2),
    "SUB": (1, 2),
    "SUM": (1, 2),
    "TANH": (1, 2),
    "TRANSPOSE": (1, 2),
    "TRANSPOSE_CONV": (1, 2, 3),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (1,),
}

# (P) Versions inside an edgetpu-custom-op of a published pair: MobileNet V1 and V2, the LSTM, and the mapped parts
# of DeepLab and MoveNet; SPLIT and CONCATENATION in split_concat.
SEEN: dict[str, tuple[int, ...]] = {
    "ADD": (1, 2),
    "AVERAGE_POOL_2D": (1,),
    "CONCATENATION": (1,),
    "CONV_2D": (1, 3),
    "DEPTHWISE_CONV_2D": (1, 2, 3),
    "FULLY_CONNECTED": (1, 4),
    "LOGISTIC": (2,),
    "MEAN": (2,),
    "MUL": (2,),
    "QUANTIZE": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (3,),
    "SOFTMAX": (1, 2),
    "SPLIT": (1,),
    "SUB": (2,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (1,),
}

# Reported as "Operation version not supported" by compiler 16 (a public build log; from Dense on a 3-D tensor).
REPORTED_REFUSED = {("FULLY_CONNECTED", 9)}
# (L) Compiler 14.1 reported the same of RESIZE_NEAREST_NEIGHBOR (known_refused in shared/edgetpu/known_good_ops.json
# and the log beside it; tensorflow issue 42024), and so did 15.0 (issue 420). The logs show no versions, but these
# models came from TensorFlow 2.3 and 2.5, whose resize has half_pixel_centers: version 3. Without half_pixel_centers
# it is version 2, which is mapped (yolov5 pull request 1127; by compiler 16.0 in yolov7 pull request 1672 and in
# published logs of a YOLOv5s and a YOLOv9t). Only one user's notes report that 16.0 maps version 3, too.
_RECORD = "refused by compilers 14.1 and 15.0 (tensorflow issue 42024, edgetpu issue 420); 16.0 may map it"
RECORDED_REFUSED = {("RESIZE_NEAREST_NEIGHBOR", 3): _RECORD}

# Above these the compiler cannot even read the model: "Didn't find op for builtin opcode ... version ...". Reported
# for compiler 16 (L): CONV_2D 6 (issue 631), TRANSPOSE_CONV 4 (845), QUANTIZE 3 (879), EXP 2 (libedgetpu 71), TILE 3
# (one user's notes).
# The others: a year after the compiler was built TensorFlow had no higher ones (T).
READABLE: dict[str, int] = {
    "CONV_2D": 5,
    "EXP": 1,
    "QUANTIZE": 2,
    "TRANSPOSE_CONV": 3,
    "ADD": 4,
    "AVERAGE_POOL_2D": 3,
    "BATCH_MATMUL": 4,
    "CAST": 4,
    "CONCATENATION": 3,
    "DEPTHWISE_CONV_2D": 6,
    "DEQUANTIZE": 5,
    "DIV": 2,
    "FULLY_CONNECTED": 9,
    "GATHER": 5,
    "HARD_SWISH": 1,
    "LEAKY_RELU": 2,
    "LOGISTIC": 3,
    "MAX_POOL_2D": 3,
    "MEAN": 3,
    "MUL": 5,
    "PACK": 3,
    "PAD": 4,
    "PRELU": 1,
    "RELU": 3,
    "RELU6": 3,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 4,
    "RESIZE_NEAREST_NEIGHBOR": 4,
    "SOFTMAX": 3,
    "SPLIT": 4,
    "STRIDED_SLICE": 6,
    "SUB": 5,
    "SUM": 2,
    "TANH": 3,
    "TILE": 2,
    "TRANSPOSE": 5,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
}
REPORTED_UNREADABLE = {("CONV_2D", 6), ("TRANSPOSE_CONV", 4), ("QUANTIZE", 3), ("EXP", 2), ("TILE", 3)}

# (D) The most elements that a SOFTMAX may have.
SOFTMAX_ELEMENTS = 16_000
# (L) A resize from 64x64 to 128x128 with 32 channels (0.5 MB) was mapped, one to 512x512 (8 MB) was not (issue 31).
# The limit between the two is not known; this is half of the on-chip memory.
RESIZE_BYTES = 4 * 1024**2

# (L) Of the 8 MiB on the chip, 7.0 to 7.9 MiB were left for parameters in most logs of compilers 14 to 16 (used and
# remaining added up); large activations leave less (6.1 MiB in issue 433). Parameters that do not fit are streamed
# over USB or PCIe at each inference.
ON_CHIP_LOW = 7 * 1024**2
ON_CHIP_HIGH = int(7.9 * 1024**2)
