"""A suite of two worlds and two seeds, to be changed."""

from typing import Any

from ssl_motion.sweep import SuiteSpec


def small_suite(**changes: Any) -> SuiteSpec:
    """Put a suite together; what is given replaces a part of it."""
    content = {
        "title": "x",
        "puppets": {"size": 32},
        "worlds": ["still", "weak_pan"],
        "seeds": [0, 1],
        "pretrain": {
            "cmp": {"config": "cmp_puppets"},
            "cmp, camera flow": {
                "config": "cmp_puppets",
                "set": {"data.control": "camera_flow"},
                "worlds": ["weak_pan"],
            },
        },
        "transfer": [
            {"task": "voc_fcn", "task_config": {"preset": preset}, "inits": ["cmp", "cmp, camera flow", "random"]}
            for preset in ("puppets_fcn", "puppets_linear")
        ],
        **changes,
    }
    return SuiteSpec.model_validate(content)
