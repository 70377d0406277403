"""Names of numpy functions and methods by what they do to a position map; others end it."""

import numpy as np

REARRANGE = (
    *("concatenate", "stack", "hstack", "vstack", "column_stack", "append"),
    *("split", "array_split", "reshape", "ravel", "squeeze", "expand_dims"),
    *("atleast_1d", "atleast_2d", "transpose", "moveaxis", "swapaxes", "broadcast_to"),
    *("take", "take_along_axis", "compress", "extract", "delete", "copy"),
    *("repeat", "tile", "flip", "roll"),
)
ELEMENTWISE = ("where", "clip", "nan_to_num", "real", "round")
REDUCE = ("sum", "mean", "average", "nansum", "nanmean", "dot", "vdot", "inner", "cumsum")
PRODUCTS = ("dot", "vdot", "inner")
CHOOSES = (np.maximum, np.minimum, np.fmax, np.fmin)
MIXES = (np.add, np.maximum, np.minimum, np.logaddexp)  # reductions that may mix one token's scores

# Methods of an array.
SAME_SHAPE_METHODS = ("astype", "copy", "clip", "round")
REARRANGING_METHODS = (
    *("reshape", "ravel", "flatten", "squeeze", "transpose", "swapaxes"),
    *("take", "repeat", "compress"),
)
