"""Names of torch functions by what they do to a position map; a function in no group ends it."""

REARRANGE = (
    *("reshape", "view", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze"),
    *("expand", "expand_as", "view_as", "reshape_as", "contiguous", "clone"),
    *("transpose", "t", "permute", "swapaxes", "moveaxis", "movedim", "T", "mT", "diagonal"),
    *("narrow", "select", "index_select", "masked_select", "take", "unfold", "__iter__"),
    *("chunk", "split", "split_with_sizes", "tensor_split", "unbind"),
    *("roll", "flip", "repeat", "repeat_interleave", "tile"),
)
JOIN = ("cat", "concat", "concatenate", "stack", "hstack", "vstack")  # of a list of tensors
SAME = (
    *("to", "type", "type_as", "cuda", "cpu", "pin_memory"),
    *("float", "double", "half", "bfloat16", "long", "int", "short"),
    *("detach", "detach_", "data", "requires_grad_", "alias", "__deepcopy__"),
)
ELEMENTWISE = (
    *("add", "sub", "subtract", "rsub", "addcmul", "addcdiv", "lerp"),
    *("mul", "multiply", "div", "divide", "true_divide", "reciprocal", "neg", "negative", "abs"),
    *("log", "log1p", "log2", "log10", "exp", "expm1", "exp2", "logaddexp", "logaddexp2"),
    *("pow", "square", "sqrt", "sigmoid", "logsigmoid", "softplus", "logit", "xlogy"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
    *("clamp", "clamp_min", "clamp_max", "clip", "where", "nan_to_num"),
    *("maximum", "minimum", "fmax", "fmin"),
    *("__neg__", "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__"),
    *("__truediv__", "__rtruediv__", "__pow__"),
)
IN_PLACE = (
    *("add_", "sub_", "mul_", "div_", "neg_", "log_", "log2_", "log10_", "exp_", "exp2_"),
    *("clamp_", "clamp_min_", "clamp_max_", "nan_to_num_"),
    *("__iadd__", "__isub__", "__imul__", "__itruediv__"),
)
KEEPS_IDS = {"clamp", "clamp_min", "clamp_max", "clip", "where", "maximum", "minimum"}
CHOOSES = {"where", "maximum", "minimum", "fmax", "fmin", "amax", "amin", "max", "min"}
TOTALS = ("sum", "mean", "nansum", "nanmean", "cumsum")
PRODUCTS = ("dot", "vdot", "inner")
SCATTERED = ("index_add", "index_add_", "scatter_add", "scatter_add_", "bincount")
REDUCE = (*TOTALS, *PRODUCTS, "logsumexp", "amax", "amin", "max", "min", "prod")
MULTIPLY = {"mul", "multiply", "__mul__", "__rmul__"}
DIVIDE = {"div", "divide", "true_divide", "__truediv__"}
NEGATE = {"neg", "__neg__"}
READ = ("item", "tolist", "__float__", "__int__", "__index__")
FILL = ("masked_fill", "masked_fill_", "pad", "fill_", "zero_")
ASSIGN = ("__setitem__", "index_put_", "index_copy_", "scatter_", "copy_")
GATHER = ("gather", "take_along_dim")
MATMUL = ("matmul", "__matmul__", "mv")
MADE = ("tensor", "as_tensor", "from_numpy", "frombuffer")
