"""Questions out: everything from the stored page to the answer that cites it.

Surprising: importing this sets a variable of the environment. onnxruntime reports its use to its
maker unless it finds this variable when it is loaded, here or in a child process; the call it
offers for that comes too late, when it has begun already.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
