"""The operations of TensorFlow that a SavedModel may run here: arithmetic on tensors, strings and tables in memory.

What reads or writes files, opens connections, calls Python, loads libraries or prints is not in the list, and neither
is what nobody has needed yet: a list of what is allowed stays safe when TensorFlow gains operations.
"""

from __future__ import annotations

ARRAYS = """
Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Cast CheckNumerics Concat ConcatOffset ConcatV2 Const DeepCopy
Diag DiagPart DynamicPartition DynamicStitch EnsureShape ExpandDims Fill Gather GatherNd GatherV2 GuaranteeConst
Identity IdentityN InvertPermutation LinSpace MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV3 MatrixDiagV3
MirrorPad NoOp OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch Placeholder PlaceholderWithDefault PreventGradient
Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN Size Slice Snapshot
Split SplitV Squeeze StopGradient StridedSlice StridedSliceGrad TensorScatterAdd TensorScatterMax TensorScatterMin
TensorScatterSub TensorScatterUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack Where
ZerosLike Assert
"""

ARITHMETIC = """
Abs Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul
BatchMatMulV2 BatchMatMulV3 Bincount BitwiseAnd BitwiseOr BitwiseXor Bucketize Ceil ClipByValue Cos Cosh Cumprod Cumsum
DenseBincount Digamma Div DivNoNan Einsum Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual
Inv IsFinite IsInf IsNan L2Loss LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max
Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NotEqual Pow Prod RaggedBincount RealDiv Reciprocal RightShift Rint
Round Rsqrt RsqrtGrad SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Sigmoid SigmoidGrad Sign Sin Sinh Sqrt
SqrtGrad Square SquaredDifference Sub Sum Tan Tanh TanhGrad TopK TopKV2 TruncateDiv TruncateMod UnsortedSegmentMax
UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py Xlogy
"""

LAYERS = """
AvgPool BiasAdd BiasAddGrad BiasAddV1 Conv2D DepthwiseConv2dNative Elu EluGrad FusedBatchNorm FusedBatchNormV2
FusedBatchNormV3 InTopKV2 LeakyRelu LogSoftmax MaxPool Relu Relu6 ReluGrad Selu Softmax SoftmaxCrossEntropyWithLogits
Softplus SoftplusGrad Softsign SparseSoftmaxCrossEntropyWithLogits
"""

RANDOM = """
Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomGetAlg
StatelessRandomGetKeyCounter StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
StatelessRandomUniformInt StatelessRandomUniformV2 TruncatedNormal
"""

CONTROL = """
Case Enter Exit If LoopCond Merge NextIteration PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf
StatelessWhile Switch SymbolicGradient While EmptyTensorList TensorListElementShape TensorListFromTensor
TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve
TensorListResize TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack
"""

VARIABLES = """
AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp ResourceGather
ResourceGatherNd ResourceScatterAdd ResourceScatterUpdate VarHandleOp VarIsInitializedOp VariableShape
"""

TABLES = """
AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable HashTable HashTableV2 InitializeTable
InitializeTableV2 LookupTableExport LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImport
LookupTableImportV2 LookupTableInsertV2 LookupTableSize LookupTableSizeV2 MutableDenseHashTableV2 MutableHashTable
MutableHashTableV2
"""

STRINGS = """
AsString DecodeBase64 EncodeBase64 ReduceJoin RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace
StringFormat StringJoin StringLength StringLower StringNGrams StringSplit StringSplitV2 StringStrip StringToHashBucket
StringToHashBucketFast StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeDecode
UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode UnsortedSegmentJoin
"""

SPARSE_AND_RAGGED = """
DenseToDenseSetOperation RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
RaggedTensorToVariant SparseConcat SparseFillEmptyRows SparseFillEmptyRowsGrad SparseReduceSum SparseReorder
SparseReshape SparseSegmentMean SparseSegmentMeanGrad SparseSegmentMeanWithNumSegments SparseSegmentSqrtN
SparseSegmentSqrtNGrad SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumGrad
SparseSegmentSumWithNumSegments SparseSlice SparseTensorDenseMatMul SparseToDense
"""

TENSORFLOW_TEXT = """
CaseFoldUTF8 NormalizeUTF8 NormalizeUTF8WithOffsetsMap SentencepieceDetokenizeOp SentencepieceIdToStringOp
SentencepieceOp SentencepieceStringToIdOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp
SentencepieceVocabSizeOp UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WhitespaceTokenizeWithOffsetsV2
WordpieceTokenizeWithOffsets TFText>FastBertNormalize TFText>FastWordpieceTokenizeWithOffsets
TFText>WhitespaceTokenizeWithOffsetsV2
"""

FROM_TENSORFLOW_TEXT = frozenset(TENSORFLOW_TEXT.split())
"""Operations that are known only after tensorflow-text is imported."""

ALLOWED = frozenset(
    " ".join(
        (
            *(ARRAYS, ARITHMETIC, LAYERS, RANDOM, CONTROL, VARIABLES, TABLES, STRINGS, SPARSE_AND_RAGGED),
            TENSORFLOW_TEXT,
        )
    ).split()
)

READS_VOCABULARY = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
"""Operations that read a file; one of the SavedModel's own assets is allowed, which is an argument of the function."""
