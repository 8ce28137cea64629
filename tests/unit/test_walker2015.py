"""Walker 2015: labels, loss and read-out against independent computations, and what it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ssl_motion.backbones import build_backbone
from ssl_motion.data.augment import flip
from ssl_motion.data.sample import UNKNOWN_LABEL, FlowSample
from ssl_motion.errors import UsageError
from ssl_motion.flow.codebook import Codebook
from ssl_motion.seeding import generator
from ssl_motion.spec import BackboneSpec
from ssl_motion.spec_text import parse_spec
from ssl_motion.testing import SMALL, example_batch, example_sample
from ssl_motion_methods.walker2015 import Walker2015, Walker2015Config
from ssl_motion_methods.walker2015.labels import cell_centres

SAMPLES = [example_sample(seed=seed) for seed in range(6)]
FITTED = Walker2015.fit(Walker2015Config(clusters=12), SAMPLES, "these")


def build(trunk: BackboneSpec = SMALL, **changes: Any) -> Walker2015:
    torch.manual_seed(0)
    config = Walker2015Config.model_validate({**FITTED.model_dump(mode="json"), "hidden": 32, **changes})
    return Walker2015(config, build_backbone(trunk)).eval()


def codebook() -> Codebook:
    assert FITTED.codebook is not None
    return FITTED.codebook


def wild(seed: int, height: int = 96, width: int = 120) -> FlowSample:
    """A sample whose flow differs from pixel to pixel, and is unknown at a fifth of them."""
    rng = np.random.default_rng(seed)
    valid = rng.random((height, width)) < 0.8
    flow = (rng.standard_normal((height, width, 2)) * 4 * valid[..., None]).astype(np.float32)
    return FlowSample(rng.integers(0, 255, (height, width, 3), np.uint8), flow, valid, "wild", seed, 1).checked()


def stacked(method: Walker2015, *samples: FlowSample) -> dict[str, Tensor]:
    tensors = [method.targets(sample, generator(0, "test")) for sample in samples]
    batch = {key: torch.stack([each[key] for each in tensors]) for key in tensors[0]}
    images = torch.stack([torch.from_numpy(sample.image).permute(2, 0, 1) for sample in samples])
    return {"image": images / 64 - 2, **batch}


def expected_labels(sample: FlowSample, rows: int, columns: int) -> np.ndarray:
    """Label cell by cell, in float64, from the flow at the very centre."""
    height, width = sample.size
    vectors = np.array(codebook().vectors)
    labels = np.empty((rows, columns), int)
    for row in range(rows):
        for column in range(columns):
            y, x = int((row + 0.5) * height / rows), int((column + 0.5) * width / columns)
            flow = sample.flow[y, x].astype(np.float64) * 195 / min(height, width)
            nearest = int(((vectors - flow) ** 2).sum(1).argmin())
            labels[row, column] = nearest if sample.valid[y, x] else UNKNOWN_LABEL
    return labels


def test_centres_are_the_authors() -> None:
    assert cell_centres(200, 20).tolist() == list(range(5, 200, 10))
    assert cell_centres(96, 12).tolist() == list(range(4, 96, 8))
    assert cell_centres(7, 3).tolist() == [1, 3, 5]
    assert cell_centres(1, 1).tolist() == [0]


@pytest.mark.parametrize(("rows", "columns"), [(20, 20), (12, 15), (3, 7), (1, 1)])
def test_labels_are_hard_and_taken_at_the_centres(rows: int, columns: int) -> None:
    method, samples = build(), [wild(0), wild(1)]
    labels = method.labels(stacked(method, *samples), (rows, columns))
    np.testing.assert_array_equal(labels, np.stack([expected_labels(each, rows, columns) for each in samples]))
    assert rows * columns == 1 or bool((labels == UNKNOWN_LABEL).any())


def test_labels_are_those_of_the_codebooks_dense_map() -> None:
    method, sample = build(), wild(2)
    dense = codebook().label_map(sample.flow, sample.valid)
    labels = method.labels(stacked(method, sample), sample.size)
    np.testing.assert_array_equal(labels[0], dense)


def test_a_mirrored_sample_is_assigned_anew() -> None:
    method, sample = build(), wild(3)
    mirrored = method.labels(stacked(method, flip(sample)), sample.size)[0].numpy()
    negated = replace(sample, flow=sample.flow * np.array([-1, 1], np.float32))
    np.testing.assert_array_equal(mirrored, codebook().label_map(negated.flow, negated.valid)[:, ::-1])
    # The codebook has no mirror symmetry: to move the labels alone would be wrong.
    moved = codebook().label_map(sample.flow, sample.valid)[:, ::-1]
    assert (moved != mirrored)[moved != UNKNOWN_LABEL].mean() > 0.5


def with_scores(method: Walker2015, scores: Tensor) -> Walker2015:
    class Scores(torch.nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return scores

    method.head = Scores()
    return method


def test_read_out_of_one_vector_and_of_all_alike() -> None:
    method, batch = build(), stacked(build(), wild(0))
    scale = 96 / 195  # pixels of this image per pixel of the codebook's frame
    for number, (u, v) in enumerate(codebook().vectors):
        one = torch.full((1, 12, 12, 15), -1e4)
        one[:, number] = 1e4
        flow = with_scores(method, one).predict(batch)
        assert flow.shape == (1, 2, 96, 120)
        assert torch.allclose(flow, torch.tensor([u, v]).view(1, 2, 1, 1) * scale, atol=1e-5)
    mean = torch.tensor(codebook().array.mean(axis=0)).view(1, 2, 1, 1) * scale
    assert torch.allclose(
        with_scores(method, torch.full((1, 12, 3, 3), 7.0)).predict(batch), mean.expand(1, 2, 96, 120)
    )


def test_perfect_scores_leave_the_error_of_quantisation_alone() -> None:
    sample = wild(5)
    method = build()
    batch = stacked(method, sample)
    labels = method.labels(batch, sample.size)
    scores = 1e4 * F.one_hot(labels.clamp(max=11), 12).permute(0, 3, 1, 2).float()
    figures = with_scores(method, scores).evaluate(batch)
    vectors = codebook().array * 96 / 195
    distance = np.linalg.norm(sample.flow[..., None, :] - vectors, axis=-1).min(axis=-1)
    assert float(figures["epe"]) == pytest.approx(float(distance[sample.valid].mean()), rel=1e-5)
    assert float(figures["top1"]) == 1
    wrong = with_scores(method, scores.roll(1, dims=1)).evaluate(batch)
    assert float(wrong["top1"]) == 0


@pytest.mark.parametrize("head", ["fc", "conv"])
def test_the_authors_reduction_and_step_size(head: str) -> None:
    """Their sum over cells by the batch is grid^2 times our mean; so lr 1e-5 and decay 5e-4 are 4e-3 and 1.25e-6."""
    method = build(head=head, grid=20)
    assert method.stage == "conv5"
    batch = stacked(method, *(replace(wild(seed), valid=np.ones((96, 120), np.bool_)) for seed in range(3)))
    logits = method.logits(batch)
    cells = logits.shape[2] * logits.shape[3]
    assert cells == (400 if head == "fc" else 12 * 15)
    labels = method.labels(batch, (logits.shape[2], logits.shape[3]))
    theirs = -logits.log_softmax(1).gather(1, labels[:, None]).sum() / len(labels)
    ours = method.losses(batch)["loss"]
    assert float(theirs.detach()) == pytest.approx(cells * float(ours.detach()), rel=1e-5)
    parameters = [value for value in method.parameters() if value.requires_grad]
    start = [value.detach().clone() for value in parameters]
    gradients = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in (theirs, ours)]

    def moved(gradient: tuple[Tensor, ...], lr: float, decay: float) -> Tensor:
        for value, kept, slope in zip(parameters, start, gradient, strict=True):
            value.data.copy_(kept)
            value.grad = slope
        torch.optim.SGD(parameters, lr=lr, momentum=0.9, weight_decay=decay).step()
        return torch.cat([(value - kept).detach().flatten() for value, kept in zip(parameters, start, strict=True)])

    # A decay that shows in float32 beside the gradient; the factor is what matters.
    step = moved(gradients[0], 1e-5, 50.0)
    assert torch.allclose(moved(gradients[1], 1e-5 * cells, 50.0 / cells), step, rtol=1e-3, atol=1e-7)
    assert not torch.allclose(moved(gradients[1], 1e-5 * cells, 50.0), step, rtol=0.5, atol=1e-6)
    assert not torch.allclose(moved(gradients[1], 1e-5, 50.0), step, rtol=0.5, atol=1e-6)


def test_unknown_cells_do_not_count() -> None:
    method, sample = build(), wild(1)
    logits = method.logits(stacked(method, sample)).detach()
    labels = torch.from_numpy(expected_labels(sample, 12, 15))
    parts = -logits.log_softmax(1)[0].double()
    known = [(r, c) for r in range(12) for c in range(15) if labels[r, c] != UNKNOWN_LABEL]
    assert 50 < len(known) < 180
    mean = sum(float(parts[labels[r, c], r, c]) for r, c in known) / len(known)
    assert float(method.losses(stacked(method, sample))["loss"].detach()) == pytest.approx(mean, rel=1e-5)


def test_nothing_known_is_a_loss_of_zero_without_nan() -> None:
    method = build().train()
    batch = example_batch(method, ("unknown", "unknown"))
    loss = method.losses(batch)["loss"]
    loss.backward()
    assert float(loss.detach()) == 0
    gradients = [value.grad for value in method.parameters() if value.grad is not None]
    assert gradients
    assert all(bool((gradient == 0).all()) for gradient in gradients)
    assert {key: float(value) for key, value in method.eval().evaluate(batch).items()} == {"epe": 0, "top1": 0}


def test_a_codebook_of_other_data_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fingerprint these\) than these \(those\).*ssl-bench codebook"):
        Walker2015.fit(FITTED, SAMPLES, "those")
    assert Walker2015.fit(FITTED, [], "these") == FITTED


def test_settings_that_contradict_the_codebook_are_refused() -> None:
    content = FITTED.model_dump(mode="json")
    for key, value in (("clusters", 40), ("frame_side", 96)):
        with pytest.raises(UsageError, match=f"method_config.{key} is {value}, but the codebook was fitted with"):
            parse_spec(Walker2015Config, {**content, key: value}, "config")
    with pytest.raises(UsageError, match="needs a codebook"):
        Walker2015(Walker2015Config(), build_backbone(SMALL))


def test_settings_are_the_same_from_a_file_and_from_its_content(tmp_path: Any) -> None:
    from ssl_motion.flow.codebook import save_codebook

    save_codebook(tmp_path / "a.json", codebook())
    by_file = parse_spec(Walker2015Config, {"clusters": 12, "codebook": str(tmp_path / "a.json")}, "config")
    assert by_file.model_dump(mode="json") == FITTED.model_dump(mode="json")
    with pytest.raises(UsageError, match=r"no codebook .*gone.json"):
        parse_spec(Walker2015Config, {"codebook": str(tmp_path / "gone.json")}, "config")
