"""The accuracy in the training log is mmseg's own figure."""

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssl_motion.openmmlab.libraries import use_mmseg
from ssl_motion.openmmlab.training_accuracy import pixel_accuracy


@settings(max_examples=30, deadline=None)
@example(seed=0, classes=3, ignore=255, unknown=1.0)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([None, 255]), st.floats(0, 1))
def test_it_is_what_mmseg_computes(seed: int, classes: int, ignore: int | None, unknown: float) -> None:
    use_mmseg()
    from mmseg.models.losses.accuracy import accuracy

    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, 4, 5, generator=random)
    labels = torch.randint(0, classes, (2, 4, 5), generator=random)
    if ignore is not None:
        labels[torch.rand(2, 4, 5, generator=random) < unknown] = ignore
    torch.testing.assert_close(pixel_accuracy(logits, labels, ignore), accuracy(logits, labels, ignore_index=ignore))


def test_heads_use_it() -> None:
    use_mmseg()
    from mmseg.models.decode_heads import decode_head

    assert decode_head.accuracy is pixel_accuracy
