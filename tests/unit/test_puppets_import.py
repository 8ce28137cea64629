"""The built-in world starts fast: no torch, no plotting, no OpenMMLab until something needs them."""

import subprocess
import sys


def test_importing_puppets_imports_no_heavy_library():
    code = (
        "import sys, ssl_motion.puppets; "
        "print([name for name in ('torch', 'matplotlib', 'mmengine') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
